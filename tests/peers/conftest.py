"""The drivers run in the peers' environments alone: nobody else can import them."""

collect_ignore_glob = ["drivers/*"]
