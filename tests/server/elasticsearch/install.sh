#!/bin/bash
# A real Elasticsearch node for the tests, made of its published jars: install.sh DEST. Once, 46 MB, 20 s.
# Needs Maven, unzip, libzstd and a JDK 21 or newer (JAVA_HOME). Whole or not there: DEST appears at the end.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dest=${1:?usage: install.sh DEST}
mkdir -p "$(dirname "$dest")"
new=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$new"' EXIT
home=$new/home
mkdir -p "$home/lib/platform/linux-x64" "$home/modules/transport-netty4" "$home/modules/local" "$new/jars" "$new/local"
mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$new/jars"
netty=$home/modules/transport-netty4
mv "$new"/jars/{transport-netty4-,netty-,elasticsearch-ssl-config-}* "$netty/"
for file in plugin-descriptor.properties entitlement-policy.yaml; do
    unzip -p "$netty"/transport-netty4-*.jar "META-INF/es-plugins/transport-netty4/$file" >"$netty/$file"
done
version=$(sed -n 's/^elasticsearch.version=//p' "$netty/plugin-descriptor.properties")
mv "$new"/jars/*.jar "$home/lib/"
ln -s "$(ldconfig -p | awk '/libzstd.so.1 /{print $NF; exit}')" "$home/lib/platform/linux-x64/libzstd.so"
"$JAVA_HOME/bin/javac" -nowarn -XDignore.symbol.file -cp "$home/lib/*" -d "$new/classes" "$here/src/EsNode.java"
"$JAVA_HOME/bin/javac" -nowarn -cp "$home/lib/*" -d "$new/local" "$here/src/local/LocalPlugin.java"
"$JAVA_HOME/bin/jar" cf "$home/modules/local/local.jar" -C "$new/local" .
cat >"$home/modules/local/plugin-descriptor.properties" <<END
description=what the store asks of Elastic's own modules
version=1
name=local
java.version=21
elasticsearch.version=$version
classname=local.LocalPlugin
END
cp -r "$here/config" "$new/config"
rm -rf "$new/jars" "$new/local" "$dest"
mv -T "$new" "$dest"
trap - EXIT
