# shellcheck shell=bash
build_node() { die "a whole node is not there yet; use --control-plane-only"; }
start_node() { :; }
remove_pods() { :; }
remove_node() { :; }
