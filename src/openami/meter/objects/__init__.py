"""COSEM objects of a meter: interface classes as tables of attributes and methods with rights."""
