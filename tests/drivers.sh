#!/usr/bin/env bash
# Runs the kernel, network and golden tests, under the validation layer, on every Vulkan driver for
# CPUs that Debian has:
#
#   mesa22       lavapipe of Debian 12, Mesa 22.3
#   mesa25       the system's own driver; after `make deps` on Debian 12 lavapipe of its backports
#   mesa26       lavapipe of Debian sid, in a root of its own with its own validation layer (needs root)
#   swiftshader  Chromium's, subgroups of four, no fp16 and no 64-bit integers
#
# Each is unpacked under .cache/drivers and never replaces the system's. Arguments choose among them.
# `tests/drivers.sh glslang` makes no tests: it makes .cache/drivers/glslangValidator, which runs Debian
# sid's, for kernels that an older one does not know (`make shaders` then uses it).
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/drivers
mkdir -p "$cache"
golden='GoldenNets|GoldenKernels|CheckpointTypes|Demo|FullSize/50x1'

# unpack NAME PACKAGE: a Debian package's files in $cache/NAME.
unpack() {
  [ -d "$cache/$1" ] && return
  local work
  work=$(mktemp -d)
  (cd "$work" && apt-get -o APT::Sandbox::User=root download -qq "$2")
  dpkg -x "$work"/*.deb "$cache/$1"
  rm -rf "$work"
}

# manifest NAME LIBRARY: a driver manifest for the library, for VK_DRIVER_FILES.
manifest() {
  local library
  library=$(find "$cache/$1" -name "$2" | head -n 1)
  printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$library" >"$cache/$1.json"
}

# The tests are not cached: Go does not see the driver change. VK_ICD_FILENAMES is the older name.
on_driver() {
  echo "== $1"
  VK_DRIVER_FILES=$cache/$1.json VK_ICD_FILENAMES=$cache/$1.json run_tests
}

run_tests() {
  go test -count=1 ./shaders ./net ./net/resample
  go test -count=1 ./tests -run "$golden"
}

mesa22() {
  unpack mesa22 mesa-vulkan-drivers/bookworm
  manifest mesa22 libvulkan_lvp.so
  on_driver mesa22
}

mesa25() {
  echo "== mesa25"
  BITGPU_REQUIRE=conv_panel run_tests
}

swiftshader() {
  unpack swiftshader chromium-common
  manifest swiftshader libvk_swiftshader.so
  on_driver swiftshader
}

# sid: a root of Debian sid in $root. $sudo is what root's rights take.
sid() {
  local mirror
  root=$cache/sid sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  command -v debootstrap >/dev/null || $sudo apt-get install -y -qq --no-install-recommends debootstrap
  if [ ! -e "$root/ready" ] || [ ! -e "$root/usr/bin/glslangValidator" ]; then
    mirror=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Codename: bookworm' 'Identifier: Packages' |
      awk '$1 == "main" { print $2; exit }')
    $sudo rm -rf "$root"
    $sudo debootstrap --variant=minbase --include=libvulkan1,mesa-vulkan-drivers,vulkan-validationlayers,glslang-tools sid "$root" "$mirror" >"$cache/sid.log"
    $sudo touch "$root/ready"
  fi
}

glslang() {
  sid
  local loader
  loader=$(find "$root"/lib*/ -maxdepth 1 -name 'ld-linux*' | head -n 1)
  printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$loader" "$(echo "$root"/usr/lib/*-linux-gnu)" \
    "$root/usr/bin/glslangValidator" >"$cache/glslangValidator"
  chmod +x "$cache/glslangValidator"
  "$cache/glslangValidator" --version | head -n 1
}

# What Mesa 26 offers must run here: its tests may not be left out in silence.
mesa26() {
  local require=conv_panel,conv_coopmat,conv_coopmat2
  echo "== mesa26"
  sid
  $sudo rm -rf "$root/bitgpu"
  $sudo mkdir "$root/bitgpu"
  $sudo cp -r shaders net tests docs loader "$root/bitgpu"
  for package in shaders net net/resample tests; do
    go test -c -o "$cache/${package##*/}.test" "./$package"
    $sudo cp "$cache/${package##*/}.test" "$root/bitgpu/"
  done
  for package in shaders net net/resample; do
    $sudo chroot "$root" sh -c "cd /bitgpu/$package && BITGPU_REQUIRE=$require /bitgpu/${package##*/}.test"
  done
  $sudo chroot "$root" sh -c "cd /bitgpu/tests && BITGPU_REQUIRE=$require ../tests.test -test.run '$golden'"
}

[ $# -gt 0 ] || set -- mesa22 mesa25 mesa26 swiftshader
for driver; do
  "$driver"
done
