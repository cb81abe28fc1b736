#!/bin/sh
# mkoci_test.sh MKOCI: two folders with the same files, made in another order, at another time, with other owners' masks and
# under another name, give the same archive.
set -eu
mkoci=$PWD/$1
cd "$TEST_TMPDIR"

# make FOLDER MASK NAME...: the tree, and the layer that takes it
make() {
  folder=$1
  umask "$2"
  shift 2
  mkdir -p "$folder/tree/sub"
  for name; do echo "content of $name" >"$folder/tree/$name"; done
  chmod 0700 "$folder/tree/a"
  ln -s a "$folder/tree/link"
  printf 'tree /opt %s/tree\ntext 0644 /etc/x one\\ntwo\\n\ndir 1777 /tmp\nlink /lib usr/lib\nfile 0755 /bin/p %s/tree/b\n' \
    "$folder" "$folder" >"$folder/layer.spec"
  echo '{"User": "65532:65532", "Entrypoint": ["/bin/p"]}' >"$folder/config.json"
}

make first 022 a b c sub/d
make second 077 sub/d c b a
touch -d '2001-02-03 04:05:06' second/tree/* second/layer.spec
"$mkoci" one.tar name:tag first/config.json first/layer.spec first/layer.spec
TZ=Asia/Tokyo LC_ALL=C.UTF-8 "$mkoci" two.tar name:tag second/config.json second/layer.spec second/layer.spec
cmp one.tar two.tar

# and another content gives another one
echo other >second/tree/c
"$mkoci" three.tar name:tag second/config.json second/layer.spec second/layer.spec
if cmp -s one.tar three.tar; then echo "another content gave the same bytes"; exit 1; fi
echo "the same bytes: $(sha256sum one.tar | cut -c1-16)"
