#!/usr/bin/env bash
# tests/wine.sh BITGPU BITGPU.EXE: under Wine the command for Windows must give, to the byte, the answers that Linux's gives on the
# same driver, and its viewer must draw. Wine hands Vulkan on to this system's loader, and needs a display for it.
set -euo pipefail
cd "$(dirname "$0")/.."
linux=$1 windows=$2
work=$(mktemp -d)
export WINEPREFIX=$work/wine WINEDEBUG=-all
finish() {
  /usr/lib/wine/wineserver -k || true
  rm -rf "$work"
}
trap finish EXIT

wineboot --init >"$work/boot.log" 2>&1 || true
# Go's runtime takes random bytes from a library that Wine 8 lacks.
if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
  x86_64-w64-mingw32-gcc -shared -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" -x c - -ladvapi32 <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);  // RtlGenRandom
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }
C
fi

for precision in fp16 fp32; do
  run=(run --model demo --precision $precision --topk 10 --format csv docs/photos)
  "$linux" "${run[@]}" >"$work/linux.csv"
  wine "$windows" "${run[@]}" | tr '\\' / | tr -d '\r' >"$work/windows.csv"
  diff "$work/linux.csv" "$work/windows.csv"
done
wine "$windows" view --model demo --width 800 --height 560 --screenshot "Z:${work//\//\\}\\view.png" docs/photos
test -s "$work/view.png"
echo "Wine: $(($(wc -l <"$work/windows.csv") - 1)) answers in fp16 and fp32 are those of Linux; the viewer drew."
