"""What tests share: servers that record what reached them, names that resolve to this machine, the coverage table."""
