#!/bin/sh
# A key and a certificate of this machine's own, made the first time nginx starts: an image holds no key.
set -eu
folder=/etc/canh/tls
[ -s "$folder/cert.pem" ] && exit 0
umask 077
mkdir -p "$folder"
names="DNS:$(hostname)"
for address in $(hostname -I); do names="$names,IP:$address"; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 825 \
  -subj "/CN=$(hostname)" -addext "subjectAltName=$names" -keyout "$folder/key.pem" -out "$folder/cert.pem.new"
mv "$folder/cert.pem.new" "$folder/cert.pem"
