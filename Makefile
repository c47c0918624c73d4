# SPDX-License-Identifier: GPL-2.0
#
# The commands of the test bed. kbuild reads Kbuild, never this file.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
tools := $(CURDIR)/tools
space := $(subst ,, )
scenarios := $(sort $(patsubst debugfs-scripts/scenarios/%/scenario.toml,%,$(wildcard debugfs-scripts/scenarios/*/scenario.toml)))
# The patches are made for 7.2; a folder of kernel/patches has those that differ for a newer one.
series := 7.2 $(notdir $(wildcard kernel/patches/[0-9]*))
# The old name of CONFIG.
CONFIG ?= $(LANE)
export CONFIG

.PHONY: help list run experiment bench compare series test suites again faults fuzz mutants third-party others coverage \
	check harness prepare build print-tree print-kernel \
	modules install uninstall deb deb-test matrix clean clean-cache

help:
	@echo 'Each command installs and builds what it needs.'
	@echo
	@echo 'Run:'
	@echo '  make run [SCENARIO=NAME]     run a scenario in a Linux guest and print its report:'
	@echo '                               $(scenarios)'
	@echo '  make experiment [MEM=12G] [SEEDS="1 2 3"] [WORKLOADS="files buffers build"]'
	@echo '                               allocate 1 GiB pages on mainline and on ours, in QEMU'
	@echo '  make compare A=DIR B=DIR     compare two saved reports of the experiment'
	@echo '  make bench                   microbenchmarks: what an allocation costs'
	@echo
	@echo 'Test:'
	@echo '  make test                    KUnit suites, debugfs knobs, the command, the test runner'
	@echo '  make test SANITIZE=1         the same with KASAN, UBSAN, lockdep and kmemleak enabled'
	@echo '  make suites                  only the KUnit suites, in all UML configurations or CONFIG'
	@echo '  make faults                  failing allocations, signals, out of memory;'
	@echo '                               CONFIG=x86_64: CPU and memory hotplug'
	@echo '  make fuzz [WRITES=10000000] [SEED=1]'
	@echo '                               write random lines to all knobs'
	@echo '  make again [TIMES=100]       run the quick tests 100 times to find flaky ones'
	@echo '  make mutants [ONLY=GLOB] [SHARE=8]'
	@echo '                               check that the tests find bugs put into the kernel'
	@echo '  make coverage [LONG=1]       lines and branches that the tests reach'
	@echo '  make third-party [ITEMS="mm/cow stress-ng/vm"] [RESUME=1]'
	@echo '                               third-party tests on mainline and on ours'
	@echo '  make check                   static checks: shellcheck, checkpatch, sparse, kernel-doc, lists'
	@echo '  make harness                 test the test runner and the other tools'
	@echo '  make list                    the configurations, the scenarios and the plan of the tests'
	@echo
	@echo 'Build:'
	@echo '  make prepare, make build     get and patch the kernel source; build kernels and fragbed.ko'
	@echo '  make -s print-tree, make -s print-kernel'
	@echo '                               path of the patched source, of the kernel image of uml'
	@echo '  make series                  write the patches as a series for a mailing list'
	@echo '  make modules [KDIR=DIR] [O=DIR] [LLVM=1]'
	@echo '                               fragbed.ko for the running kernel or the one in KDIR'
	@echo '  make clean, make clean-cache delete build/; delete sources and builds in the cache'
	@echo
	@echo 'Install:'
	@echo '  make install [KVER=RELEASE] [PREFIX=/usr/local], make uninstall'
	@echo '                               the module with dkms, and the command fragbed'
	@echo '  make deb, make deb-test      build the package fragbed-dkms; test it in Debian 12 and 13'
	@echo '  make matrix [KERNELS="6.1 6.12 7.2 7.3"] [KNOBS=1]'
	@echo '                               test the package on stock Debian kernels, in QEMU'
	@echo
	@echo 'Variables:'
	@echo '  CONFIG=NAME                  the test configuration (uml); x86_64 runs in QEMU'
	@echo '  PARTS="NAME..."              run only these parts of make test or make faults'
	@echo '  KERNEL=$(subst $(space),|,$(series))               the Linux to build and test'
	@echo '  KERNEL_SRC=DIR|TARBALL       use this kernel source'
	@echo '  ACCEL=auto|kvm|tcg           how QEMU runs its guests'
	@echo '  FRAGBED_CACHE=DIR            instead of ~/.cache/fragbed'
	@echo '  FRAGBED_UPDATE=1             look for a newer point release'
	@echo '  FRAGBED_NO_INSTALL=1         never install packages'

list:
	@echo 'Test configurations:'
	@$(tools)/configurations.py
	@echo
	@echo 'Scenarios:'
	@debugfs-scripts/lib/scenarios.py table
	@echo
	@echo 'Tests:'
	@$(tools)/plan.py

run:
	@$(tools)/run.sh $(SCENARIO) $(filter-out SCENARIO=% CONFIG=% LANE=% KERNEL=% KERNEL_SRC=% ACCEL=% FRAGBED_%,$(MAKEOVERRIDES))

experiment:
	@debugfs-scripts/experiment/run.sh $(if $(MEM),--mem '$(MEM)') $(if $(SEEDS),--seeds '$(SEEDS)') \
		$(if $(WORKLOADS),--workloads '$(WORKLOADS)') $(if $(KERNELS),--kernels '$(KERNELS)')

bench:
	@debugfs-scripts/experiment/bench.sh

compare:
	@debugfs-scripts/experiment/compare.py '$(A)' '$(B)'

series:
	@$(tools)/series.sh

test:
	@$(tools)/test.py test $(PARTS)

again:
	@$(tools)/again.py --times '$(or $(TIMES),100)'

suites:
	@$(tools)/kunit.sh $(if $(CONFIG),--config '$(CONFIG)',--group uml)

faults:
	@$(tools)/test.py faults $(PARTS)

fuzz:
	@debugfs-scripts/tests/fuzz/run.sh $(if $(WRITES),--writes '$(WRITES)') $(if $(SEED),--seed '$(SEED)') \
		$(if $(CONFIG),--config '$(CONFIG)')

mutants:
	@$(tools)/mutants.py $(if $(ONLY),--only '$(ONLY)') $(if $(SHARE),--share '$(SHARE)')

third-party:
	@$(tools)/external/third-party.sh $(if $(RESUME),--resume) $(ITEMS)

# The old name.
others: third-party

coverage:
	@$(tools)/coverage.sh

check:
	@$(tools)/check/check.sh

harness:
	@$(tools)/harness/harness-test.sh

prepare:
	@$(tools)/prepare.sh >/dev/null

build:
	@$(tools)/build.sh uml >/dev/null
	@$(tools)/build.sh uml-small-blocks >/dev/null

print-tree:
	@$(tools)/prepare.sh

print-kernel:
	@$(tools)/build.sh uml

# Before 6.13 kbuild builds a module only beside its source, so O gets a copy of the source.
# The kernel's make must not see our O: it would take it for its own.
modules: MAKEOVERRIDES := $(filter-out O=%,$(MAKEOVERRIDES))
modules:
	$(if $(O),mkdir -p '$(abspath $(O))' && cp -u --parents dkms.conf Kbuild module/*.[ch] '$(abspath $(O))')
	$(MAKE) -C $(KDIR) M=$(if $(O),$(abspath $(O)),$(CURDIR)) $(if $(LLVM),LLVM=$(LLVM)) modules

install:
	@PREFIX='$(PREFIX)' $(tools)/packaging/install.sh $(KVER)

uninstall:
	@PREFIX='$(PREFIX)' $(tools)/packaging/install.sh --uninstall

deb:
	@$(tools)/packaging/deb.sh

deb-test:
	@$(tools)/packaging/packages-test.sh

matrix:
	@KNOBS='$(KNOBS)' $(tools)/packaging/matrix.sh $(KERNELS)

clean:
	rm -rf build

clean-cache:
	@$(tools)/clean-cache.sh
