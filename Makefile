# SPDX-License-Identifier: GPL-2.0
#
# The commands of the test bed; each does its own set-up. kbuild reads Kbuild,
# never this file.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
tools := $(CURDIR)/tools
# LANE is the name CONFIG had.
CONFIG ?= $(LANE)
export CONFIG

.PHONY: help run experiment bench compare series test suites again faults fuzz mutants others coverage \
	check harness prepare build print-tree print-kernel \
	modules install uninstall deb deb-test matrix clean clean-cache

help:
	@echo 'make run           fragment memory in a Linux guest, compact it, print the report'
	@echo 'make run SCENARIO=superpageblocks'
	@echo '                   the same workload without and with superpageblocks'
	@echo 'make run SCENARIO=defrag'
	@echo '                   tainted superpageblocks defragmented, clean ones evacuated'
	@echo 'make run SCENARIO=beside'
	@echo '                   memory kept fragmented beside a benchmark: is that disturbed?'
	@echo 'make experiment [MEM=12G] [SEEDS="1 2 3"] [WORKLOADS="files buffers build"]'
	@echo '                   1 GiB pages: mainline and ours, side by side, in QEMU'
	@echo 'make bench         what an allocation costs: mainline and ours'
	@echo 'make compare A=FOLDER B=FOLDER'
	@echo '                   two saved reports of the experiment: what changed, what is noise'
	@echo 'make series        all patches to the kernel as a series to be mailed'
	@echo 'make test          KUnit suites, debugfs knobs and the runner itself'
	@echo 'make test CONFIG=x86_64, make run CONFIG=x86_64'
	@echo '                   the same in QEMU, with NUMA balancing and btrfs'
	@echo 'make test SANITIZE=1 [CONFIG=x86_64], make test CONFIG=x86_64-rt'
	@echo '                   in kernels that tell of mistakes; in a PREEMPT_RT kernel'
	@echo 'make again [TIMES=100]'
	@echo '                   the quick tier over and over: is it always green, how long does it take?'
	@echo 'make suites        only the KUnit suites, in all configurations of UML or in one: CONFIG=uml-spb'
	@echo 'make faults        failing allocations, signals, too little memory; with CONFIG=x86_64'
	@echo '                   CPUs and memory that come and go'
	@echo 'make fuzz [WRITES=10000000] [SEED=1] [CONFIG=fuzz-kasan]'
	@echo '                   random lines to all knobs at once, while the module comes and goes'
	@echo 'make mutants       try wrong kernels on the suites'
	@echo 'make mutants SHARE=8'
	@echo '                   an eighth of them, with each commit another one'
	@echo 'make others        the KUnit suites of the kernel itself, on mainline and on ours'
	@echo 'make others CONFIG=x86_64 [ITEMS="mm/cow stress-ng/vm"] [RESUME=1]'
	@echo '                   the same with its selftests of mm, stress-ng and trinity, in QEMU'
	@echo 'make coverage      lines and branches the tests reach, and what they miss'
	@echo 'make check         shellcheck, checkpatch, licences'
	@echo 'make harness       all tests of the tools'
	@echo 'make prepare       only get and patch the kernel source'
	@echo 'make build         only build both kernels and fragbed.ko'
	@echo 'make -s print-tree, make -s print-kernel'
	@echo '                   the prepared tree, the kernel image of the configuration uml'
	@echo 'make modules [KDIR=DIR] [O=DIR] [LLVM=1]'
	@echo '                   fragbed.ko for the running kernel or the one in KDIR'
	@echo 'make install [KVER=RELEASE] [PREFIX=/usr/local], make uninstall'
	@echo '                   the module by dkms, and the command fragbed'
	@echo 'make deb           the package fragbed-dkms, in build/deb/'
	@echo 'make matrix [KERNELS="6.1 6.12 7.2 7.3"] [KNOBS=1]'
	@echo '                   the package on stock kernels of Debian, in QEMU; with all knobs'
	@echo 'make deb-test      installs, upgrades and removes it in Debian 12 and 13'
	@echo 'make clean         delete build/'
	@echo 'make clean-cache   delete sources, trees and builds in the cache'
	@echo
	@echo 'ACCEL=auto|kvm|tcg           how QEMU runs its guests'
	@echo 'KERNEL=7.2|7.3               the Linux to build and test (7.2)'
	@echo 'KERNEL_SRC=TREE or TARBALL   test this source'
	@echo 'FRAGBED_CACHE=DIR            instead of ~/.cache/fragbed'
	@echo 'FRAGBED_UPDATE=1             look for a newer point release'
	@echo 'FRAGBED_NO_INSTALL=1         never install packages'

run:
	@$(tools)/run.sh $(SCENARIO)

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
	@$(tools)/test.sh

again:
	@$(tools)/again.py --times '$(or $(TIMES),100)'

suites:
	@$(tools)/kunit.sh $(if $(CONFIG),--config '$(CONFIG)',--group uml)

faults:
	@$(tools)/faults.sh $(PARTS)

fuzz:
	@debugfs-scripts/tests/fuzz/run.sh $(if $(WRITES),--writes '$(WRITES)') $(if $(SEED),--seed '$(SEED)') \
		$(if $(CONFIG),--config '$(CONFIG)')

mutants:
	@$(tools)/mutants.py $(if $(ONLY),--only '$(ONLY)') $(if $(SHARE),--share '$(SHARE)')

others:
	@$(tools)/external/others.sh $(if $(RESUME),--resume) $(ITEMS)

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

# O keeps the build out of this folder: the source goes there, since kernels before
# 6.13 build a module nowhere else than where its source is.
# It would take our O for its own.
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
