"""Run the processes of one installation on one machine: start in order, restart the dead, drain in order."""
