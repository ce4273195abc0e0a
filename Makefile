# The commands that a person types. Everything real is in meson.build, tools/, tests/run and demo/run.
#
#   make            build into build/
#   make demo       a tunnel to strongSwan in network namespaces, shown and proven (KEEP=1 leaves it up)
#   make test       the whole suite; the last line counts it
#   make test-long  what takes longer: more peers (a Debian 13, a machine under qemu), and the end-to-end tests again, against
#                   sanitizer builds of the daemons
#   make test-debian13  builds on Debian 13 (in a root under build/peers) and runs units, stages, simulator and fuzz corpora there,
#                   and the end-to-end tests with its strongSwan 6 and FRR 10
#   make bench      cycles per packet of each stage of the data plane; BGP beside BIRD and FRR
#   make fuzz       libFuzzer on every parser, FUZZ_SECONDS each (default 60)
#   make clean      unmount and remove build/, and the namespaces of earlier runs
#
# Missing Debian packages are installed on the way (as root); a second call installs and builds nothing.

PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
MAKEFLAGS += --no-print-directory

.PHONY: build demo test test-long test-debian13 bench fuzz clean packages

build: packages
	@test -f build/build.ninja || { echo "meson      setting up build/"; \
		mkdir -p build/logs; meson setup build >build/logs/meson.log 2>&1 || { tail -20 build/logs/meson.log; exit 1; }; }
	@tools/ninja build

packages:
	@tools/bootstrap build

demo: build
	@tools/peers make
	@$(PYTHON) demo/run $(if $(KEEP),--keep)

test: build
	@tools/bootstrap lint
	@tools/peers make
	@$(PYTHON) tests/run

test-long: build
	@tools/bootstrap lint long
	@tools/peers make bookworm trixie
	@tools/guest make
	@$(PYTHON) tests/run --long

test-debian13:
	@tools/debian13

bench: build
	@tools/peers make
	@$(PYTHON) perf/run

fuzz: packages
	@tools/bootstrap fuzz
	@tools/fuzz $(FUZZ_SECONDS)

clean:
	@test ! -d build || $(PYTHON) tests/lib/netlab.py clean
	@tools/peers remove
	@rm -rf --one-file-system build
