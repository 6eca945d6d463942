"""Where packets are kept: keys, records, and the engines that hold them."""
