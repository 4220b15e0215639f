# README's two commands are `make run` and `make test`; each is complete by itself on a fresh machine.
.PHONY: run test test-drivers test-cycles test-peer test-desktop test-wine examples cross desktop bench bench-ci bench-peer turbojpeg shaders lint docs deps

# The demo network on the pictures in docs/photos.
run: deps
	go run ./cmd/bitgpu run --model demo docs/photos

# Everything, on the device that "auto" picks, under the Vulkan validation layer.
test: deps lint
	go test -count=1 -timeout 40m ./...

# Models opened and closed so often, and a tenth of it in the middle of work: nothing may be left of them.
CYCLES = 1000
test-cycles: deps
	BITGPU_CYCLES=$(CYCLES) go test -count=1 -v -timeout 60m -run TestCycles .

# The kernel, network and golden tests on every CPU driver that Debian has.
test-drivers: deps
	tests/drivers.sh

# PyTorch's network of bench-peer against the golden data, and PyTorch on what bitgpu convert writes. Installs
# python3-torch as bench-peer does.
test-peer: deps
	go build -o bin/bitgpu ./cmd/bitgpu
	tests/peer/run.sh check.py
	tests/peer/run.sh convert.py

# Throughput of three networks with generated weights, on the device that "auto" picks. The rows are kept
# in bin/bench.json: `bin/bitgpu bench compare old.json bin/bench.json` tells what changed.
NETWORKS = demo,resnetv2_50x1_bit.goog_distilled_in1k
LARGE = resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384
bench: deps
	go build -o bin/bitgpu ./cmd/bitgpu
	bin/bitgpu bench --model $(NETWORKS),$(LARGE) --weights random:golden --batch 1,8 --out bin/bench.json

# The small ones on the CPU, in seconds.
bench-ci: deps
	go build -o bin/bitgpu ./cmd/bitgpu
	bin/bitgpu bench --device cpu --model $(NETWORKS) --weights random:golden --batch 1 --runs 3 --out bin/bench-ci.json

# bitgpu and PyTorch in turn on the same networks, and the ratios; tests/peer/README.md has the settings.
# Installs Debian's python3-torch (several hundred MB) where there is no PyTorch.
bench-peer: deps
	go build -o bin/bitgpu ./cmd/bitgpu
	tests/peer/run.sh compare.py

# The command with libjpeg-turbo as its JPEG decoder: the same pixels sooner. Then the tests of pictures with it,
# and both decoders in turn on the same files.
turbojpeg: deps
	@if command -v apt-get >/dev/null && ! dpkg -s libturbojpeg0-dev >/dev/null 2>&1; then $(INSTALL) libturbojpeg0-dev; fi
	go build -tags turbojpeg -o bin/bitgpu ./cmd/bitgpu
	go test -count=1 -tags turbojpeg ./loader
	go test -tags turbojpeg -run '^$$' -bench DecodeJPEG ./loader

# The command with its viewer, `bin/bitgpu view`. GLFW is part of the Go module; its build wants the headers of X11.
DESKTOP = libx11-dev libxcursor-dev libxrandr-dev libxinerama-dev libxi-dev libxxf86vm-dev libgl-dev
desktop: deps
	@if command -v apt-get >/dev/null && ! dpkg -s $(DESKTOP) >/dev/null 2>&1; then $(INSTALL) $(DESKTOP); fi
	go build -tags desktop -o bin/bitgpu ./cmd/bitgpu

# What is built with the tag desktop, in a window of a virtual display, under the validation layer. Pictures of the window are
# compared with those in cmd/bitgpu/internal/view/testdata; `go test -tags desktop ./cmd/bitgpu/internal/view -update` rewrites them.
# A display that is not told -noreset turns windows away while it forgets the last one.
XVFB = xvfb xauth
test-desktop: desktop
	@if command -v apt-get >/dev/null && ! dpkg -s $(XVFB) >/dev/null 2>&1; then $(INSTALL) $(XVFB); fi
	go vet -tags desktop ./cmd/bitgpu/... ./gpu/...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags desktop ./cmd/bitgpu/... ./gpu/...
	go test -count=1 -tags desktop -run TestViewedInputs ./cmd/bitgpu
	xvfb-run -a -s "-screen 0 1600x1200x24 -noreset" go test -count=1 -tags desktop ./gpu/internal/vk ./gpu/present ./cmd/bitgpu/internal/view

# The programs in examples, which are a module of their own: vetted, built and run, those with a window on a virtual display.
# The tag has Fyne draw with OpenGL ES, whose bindings compile in a third of the time that those of all of OpenGL take.
examples: desktop
	@if command -v apt-get >/dev/null && ! dpkg -s $(XVFB) pkg-config >/dev/null 2>&1; then $(INSTALL) $(XVFB) pkg-config; fi
	cd examples && go vet -tags gles ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags gles ./...
	cd examples && xvfb-run -a -s "-screen 0 1600x1200x24" go test -count=1 -tags gles ./...

# Linux on arm64 and Windows on x86-64 with Debian's cross compilers: the command is built, all packages and their tests are
# vetted, and those tests that need no Vulkan are run on an emulated arm64. macOS, for which Debian has no compiler, is
# type-checked. docs/platforms.md tells what that leaves out.
CROSS = gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-mingw-w64-x86-64 qemu-user
ARM64 = env CGO_ENABLED=1 GOOS=linux GOARCH=arm64 CC=aarch64-linux-gnu-gcc
ON_ARM64 = $(ARM64) go test -count=1 -vet=off -exec "qemu-aarch64 -L /usr/aarch64-linux-gnu"
WINDOWS = env CGO_ENABLED=1 GOOS=windows GOARCH=amd64 CC=x86_64-w64-mingw32-gcc
cross: deps
	@if command -v apt-get >/dev/null && ! dpkg -s $(CROSS) >/dev/null 2>&1; then $(INSTALL) $(CROSS); fi
	$(ARM64) go build -o bin/linux-arm64/ ./cmd/bitgpu
	$(ARM64) go vet ./...
	$(ON_ARM64) ./loader ./loader/index ./loader/demo ./net/head
	$(ON_ARM64) -run "Arena|Graph|Infer|Params|Plan|Tilings" -skip "Variants|ConvPanelTilings" ./net
	$(WINDOWS) go build -tags desktop -o bin/windows-amd64/ ./cmd/bitgpu
	$(WINDOWS) go vet -tags desktop ./...
	go test -count=1 -run TestMacOS ./tests

# The command for Windows, run under Wine on this system's driver. Installs Wine (700 MB).
WINE = wine wine64 gcc-mingw-w64-x86-64 $(XVFB)
test-wine: desktop
	@if command -v apt-get >/dev/null && ! dpkg -s $(WINE) >/dev/null 2>&1; then $(INSTALL) $(WINE); fi
	$(WINDOWS) go build -tags desktop -o bin/windows-amd64/ ./cmd/bitgpu
	xvfb-run -a -s "-screen 0 1600x1200x24" tests/wine.sh bin/bitgpu bin/windows-amd64/bitgpu.exe

# Rebuilds the SPIR-V in shaders/spv from the GLSL beside it. That of kernels with cooperative matrices
# needs a newer compiler than Debian 12's, which `tests/drivers.sh glslang` makes.
shaders: deps
	cd shaders && BITGPU_GLSLANG=$${BITGPU_GLSLANG:-$(abspath $(wildcard .cache/drivers/glslangValidator))} go run ./internal/build
	go generate -tags desktop ./gpu/present

# The pages in docs that are made: docs/cli from the commands, and the table of docs/models.md.
docs: deps
	go test ./cmd/bitgpu -run "TestReference|TestModelsPage" -count=1 -update

lint:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt needed: $$unformatted"; exit 1; fi
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# System packages: a C compiler (cgo), the Vulkan loader and a CPU driver (lavapipe), the validation
# layer (tests) and glslangValidator (shaders). Debian 12's own lavapipe is old; backports has 25.0.7.
PACKAGES = gcc libc6-dev libvulkan1 vulkan-validationlayers glslang-tools
DRIVER = mesa-vulkan-drivers
SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
INSTALL = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
BACKPORTS = /etc/apt/sources.list.d/bookworm-backports.list
KEYRING = /usr/share/keyrings/debian-archive-keyring.gpg

deps:
	@if ! command -v apt-get >/dev/null; then \
	  echo "No apt-get here. bitgpu needs: a C compiler, the Vulkan loader (libvulkan) and a driver;"; \
	  echo "its tests also the Khronos validation layer, its shaders glslangValidator."; \
	  exit 0; \
	fi; \
	codename=$$(. /etc/os-release && echo "$$VERSION_CODENAME"); \
	driver=$$(dpkg-query -W -f '$${Version}' $(DRIVER) 2>/dev/null || true); \
	suite=; \
	if [ "$$codename" = bookworm ] && ! dpkg --compare-versions "$$driver" ge 25; then suite=bookworm-backports; fi; \
	if [ -z "$$suite" ] && dpkg -s $(PACKAGES) $(DRIVER) >/dev/null 2>&1; then exit 0; fi; \
	set -e; \
	$(SUDO) apt-get update -qq; \
	if [ -n "$$suite" ] && ! apt-cache madison $(DRIVER) | grep -q "$$suite"; then \
	  mirror=$$(apt-get indextargets --format '$$(CODENAME) $$(COMPONENT) $$(REPO_URI)' 'Identifier: Packages' | \
	    awk '$$1 == "bookworm" && $$2 == "main" { print $$3; exit }'); \
	  echo "deb [signed-by=$(KEYRING)] $$mirror $$suite main" | $(SUDO) tee $(BACKPORTS) >/dev/null; \
	  $(SUDO) apt-get update -qq; \
	fi; \
	$(INSTALL) $(PACKAGES); \
	$(INSTALL) $${suite:+-t $$suite} $(DRIVER)
