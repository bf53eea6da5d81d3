# Makefile - builds, tests and installs pouch. One file, no recursion into folders.
#
#   make            programs for this machine in build/, with the distribution's libraries
#   make static     release programs in build/static/: fully static, musl, stripped
#   make rpm        their package in build/rpm/, for CentOS 6 and everything newer
#   make demo       install what is needed, build, and show it at work
#   make check      every test; make check-here, asan, fuzz, lint, bench: see below
#
# Every folder below becomes one archive and takes whatever *.c lies in it. The same tree is compiled in four variants (dev, static,
# asan, fuzz), each with its own objects under build/obj/VARIANT. V=1 shows the commands.

VERSION := 2.0.0

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
CC         := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
CLANG      ?= clang
CFLAGS     ?= -O2 -g
SHELL      := /bin/sh

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:

# The targets that install what they need build with every processor, unless their caller says with how many.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))

# ---- what there is -------------------------------------------------------------------------------------------------------------

FOLDERS := compat/base compat/kernel quota \
	$(addprefix runtime/,api oci shim image storage net volume log engine daemon) cli

PROGRAMS := pouch pouchd pouch-shim pouch-oci pouch-init

# For each program: its main file, the archives it may use, and the libraries.
compat := compat/kernel compat/base

pouch_main := cli/main.c
pouch_uses := cli runtime/api $(compat)
pouch_libs := popt json-c openssl libarchive expat libcap

pouchd_main := runtime/daemon/main.c
pouchd_uses := $(addprefix runtime/,daemon engine image storage net volume log shim oci api) quota $(compat)
pouchd_libs := popt json-c libmicrohttpd libcurl openssl libarchive libisal libnl-route-3.0 libcap libseccomp expat

pouch-shim_main := runtime/shim/main.c
pouch-shim_uses := runtime/shim runtime/log runtime/oci $(compat)
pouch-shim_libs := json-c libcap libseccomp expat

pouch-oci_main := runtime/oci/main.c
pouch-oci_uses := runtime/oci $(compat)
pouch-oci_libs := popt json-c libcap libseccomp expat

pouch-init_main := runtime/init/main.c
pouch-init_uses := compat/base
pouch-init_libs :=
pouch-init_ldflags := -static

# pouch-init runs inside containers, where there is no library: it is static always, and the sanitizers' variants borrow the dev one.
pouch-init_more := $(filter-out runtime/init/main.c,$(wildcard runtime/init/*.c))
mains     := $(foreach p,$(PROGRAMS),$($p_main))
programs  := $(foreach p,$(PROGRAMS),$(if $(wildcard $($p_main)),$p))
sources   = $(sort $(filter-out $(mains),$(wildcard $1/*.c)))
folders   := $(foreach f,$(FOLDERS),$(if $(call sources,$f),$f))
all_src   := $(foreach f,$(folders),$(call sources,$f)) $(wildcard $(mains)) $(pouch-init_more)
unit      := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/t_*.c))
fuzzers   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/f_*.c))
all_libs  := $(sort $(foreach p,$(PROGRAMS),$($p_libs)))

# ---- how it is compiled --------------------------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wno-unused-parameter -Wno-missing-field-initializers
LANG_FLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -pthread
LD_FLAGS   := -pthread -Wl,--gc-sections -Wl,--as-needed
SECTIONS   := -ffunction-sections -fdata-sections
SANITIZE   := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined

pc_cflags := $(shell pkg-config --cflags $(all_libs) 2>/dev/null)
pc_libs    = $(shell pkg-config --libs $1 2>/dev/null)

# What the static variant links is known: rpm/static built it. The order is that of dependence.
static_root := build/deps
static_lib_popt            := -lpopt
static_lib_json-c          := -ljson-c
static_lib_libcurl         := -lcurl
static_lib_openssl         := -lssl -lcrypto
static_lib_expat           := -lexpat
static_lib_libmicrohttpd   := -lmicrohttpd
static_lib_libarchive      := -larchive -llzma -lzstd -lbz2 -lz
static_lib_libisal         := -lisal
static_lib_libnl-route-3.0 := -lnl-route-3 -lnl-3
static_lib_libcap          := -lcap
static_lib_libseccomp      := -lseccomp

# Per variant: compiler, flags to compile, flags to link, the libraries of a set of packages, where programs go, and what must exist
# before the first object.
dev_cc     := $(CC)
dev_cflags  = $(CFLAGS) $(SECTIONS) $(pc_cflags)
dev_ldflags = $(LD_FLAGS)
dev_libs    = $(pc_libs)
dev_out    := build

static_cc     := musl-gcc
static_cflags  = -O2 -g $(SECTIONS) -fno-pie -fno-asynchronous-unwind-tables \
	-isystem $(static_root)/include -isystem $(static_root)/include/json-c -isystem $(static_root)/include/libnl3 \
	-isystem $(static_root)/kernel-include
static_ldflags = -static -no-pie $(LD_FLAGS) -Wl,-z,stack-size=1048576 -Wl,--build-id=none -s -L$(static_root)/lib
static_libs    = $(foreach l,$1,$(static_lib_$l))
static_out    := build/static
static_needs  := build/deps.done

asan_cc     := $(CC)
asan_cflags  = -O1 -g $(SANITIZE) $(pc_cflags)
asan_ldflags = $(LD_FLAGS) $(SANITIZE)
asan_libs    = $(pc_libs)
asan_out    := build/asan

fuzz_cc     := $(CLANG)
fuzz_cflags  = -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link $(pc_cflags) -Wno-unknown-warning-option -Wno-unused-variable
fuzz_ldflags = $(LD_FLAGS) $(SANITIZE) -fsanitize=fuzzer
fuzz_libs    = $(pc_libs)
fuzz_out    := build/fuzz

archives = $(patsubst %,build/obj/$1/%.a,$(foreach f,$2,$f/lib$(notdir $f)))
existing = $(filter $1,$(folders))

.PHONY: all static setup demo check check-here check-long check-unit check-integration check-old check-vm asan fuzz lint analyze bench install rpm clean
all: $(programs:%=build/%) $(call archives,dev,$(folders))

# ---- rules ---------------------------------------------------------------------------------------------------------------------

Q    := $(if $(filter 1,$(V)),,@)
say   = $(if $(Q),@printf '  %-5s %s\n' $1 '$2')


# $(call stamp,file,text): a file which changes when, and only when, the text does. Targets that depend on it follow flags and lists.
stamp = $(if $(filter-out x$(subst $(space),_,$(strip $2)),x$(subst $(space),_,$(file <$1))),$(shell mkdir -p $(dir $1))$(file >$1,$(strip $2)))
space := $(subst ,, )

ifeq ($(filter clean setup,$(MAKECMDGOALS)),)
stamp_write = $(call stamp,$1,$2)
endif

# variant(name): objects and archives
define variant
$(call stamp_write,build/obj/$1/flags,$($1_cc) $(LANG_FLAGS) $(WARN) $($1_cflags))
$(call stamp_write,build/obj/$1/ldflags,$($1_cc) $($1_ldflags))

build/obj/$1/%.o: %.c build/obj/$1/flags $($1_needs)
	$$(call say,CC,$$<)
	@mkdir -p $$(@D)
	$(Q)$($1_cc) $(LANG_FLAGS) $(WARN) $($1_cflags) $$(DEFINES) -MMD -MP -c -o $$@ $$<

build/obj/$1/compat/base/version.o: build/version
build/obj/$1/compat/base/version.o: DEFINES = $$(version_defines)

$(foreach f,$(folders),$(eval $(call archive,$1,$f)))
$(foreach p,$(if $(filter dev static,$1),$(programs),$(filter-out pouch-init,$(programs))),$(eval $(call program,$1,$p)))
-include $$(patsubst %.c,build/obj/$1/%.d,$(all_src))
endef

# archive(variant, folder)
define archive
$(call stamp_write,build/obj/$1/$2/objects,$(call sources,$2))
$(call archives,$1,$2): $(patsubst %.c,build/obj/$1/%.o,$(call sources,$2)) build/obj/$1/$2/objects
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
endef

# program(variant, name)
define program
$($1_out)/$2: build/obj/$1/$(basename $($2_main)).o $($2_more:%.c=build/obj/$1/%.o) \
		$(call archives,$1,$(call existing,$($2_uses))) build/obj/$1/ldflags
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$($1_cc) $($1_ldflags) $($2_ldflags) -o $$@ $$(filter %.o,$$^) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(call $1_libs,$($2_libs))
endef

# borrowed_init(variant): the dev variant's pouch-init
define borrowed_init
$($1_out)/pouch-init: build/pouch-init
	$(Q)mkdir -p $$(@D) && cp $$< $$@
endef

# test(variant, name, folder, more sources, libraries): a test program linked with every archive
define test
$($1_out)/tests/$2: build/obj/$1/$3/$2.o $4 $(call archives,$1,$(folders)) build/obj/$1/ldflags
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$($1_cc) $($1_ldflags) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
		$(call $1_libs,$(all_libs)) $5
-include build/obj/$1/$3/$2.d
endef

$(foreach v,dev static asan fuzz,$(eval $(call variant,$v)))

$(foreach v,asan fuzz,$(eval $(call borrowed_init,$v)))

# The version, commit and commit's time reach one object file only, so that a commit rebuilds nothing else.
commit     := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
build_time := $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
version_defines = -DPOUCH_VERSION='"$(VERSION)"' -DPOUCH_COMMIT='"$(or $(commit),unknown)"' \
	-DPOUCH_BUILD_TIME='"$(or $(build_time),unknown)"'
$(call stamp_write,build/version,$(VERSION) $(commit) $(build_time))

# ---- tests ---------------------------------------------------------------------------------------------------------------------

replay := build/obj/dev/tests/fuzz/replay.o
$(foreach t,$(unit),$(eval $(call test,dev,$t,tests/unit,,-lcmocka)) $(eval $(call test,asan,$t,tests/unit,,-lcmocka)))
$(foreach t,$(fuzzers),$(eval $(call test,dev,$t,tests/fuzz,$(replay))) \
	$(eval $(call test,asan,$t,tests/fuzz,$(replay:build/obj/dev/%=build/obj/asan/%))) $(eval $(call test,fuzz,$t,tests/fuzz)))

dev_tests  := $(unit:%=build/tests/%) $(fuzzers:%=build/tests/%)
asan_tests := $(unit:%=build/asan/tests/%) $(fuzzers:%=build/asan/tests/%)

# Old kernels, played on this one (tests/legacy): the player, and a program that is tried under it, which must not need the GNU C library.
legacy       := main supervise filter kernels calls files netlink unix busy mounts remote
test_tools := build/tests/as-kernel build/tests/kernel-probe build/tests/fail-at build/tests/attack build/tests/hostile-registry build/tests/filter-dump

build/tests/as-kernel: $(legacy:%=build/obj/dev/tests/legacy/%.o) $(call archives,dev,$(call existing,$(compat))) build/obj/dev/ldflags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(dev_cc) $(dev_ldflags) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call dev_libs,$(all_libs))
-include $(legacy:%=build/obj/dev/tests/legacy/%.d)

build/tests/kernel-probe: tests/legacy/probe.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

# What hostile programs in a container do (tests/security).
build/tests/attack: tests/security/attack.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static -no-pie $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

build/tests/hostile-registry: tests/security/hostile_registry.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static -no-pie $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

build/tests/filter-dump: tests/security/filter_dump.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

# Makes a chosen system call of a command fail (tests/integration/31-oci-faults.sh).
build/tests/fail-at: tests/faults/fail_at.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

# Release programs. The libraries are built once and cached (POUCH_CACHE); what they are made of is in rpm/static.
static: $(programs:%=build/static/%) $(call archives,static,$(folders))
	@for p in $(programs:%=build/static/%); do wc -c <$$p; done | awk '{ sum += $$1 } END { printf "  build/static: %d programs, %.2f MB\n", NR, sum / 1e6 }'

build/deps.done: rpm/static/build $(wildcard rpm/static/recipes/*)
	$(Q)rpm/setup static
	$(Q)rpm/static/build build/deps
	$(Q)touch $@

# Packages for building and testing; quick when all are there.
setup:
	$(Q)rpm/setup build run demo check

check-unit: $(dev_tests)
	$(Q)tests/run --build build unit fuzz

check-integration: all $(test_tools)
	$(Q)tests/run --build build integration

# The release programs on 2.6.32 and on CentOS 6's kernel, as tests/legacy/as-kernel plays them.
check-old: setup
	$(Q)rpm/setup static
	$(Q)$(MAKE) --no-print-directory $(jobs) static all $(test_tools)
	$(Q)tests/legacy/check build/static 2.6.32 el6

# The release programs on a real kernel in QEMU: KERNEL=image, MODULES=directory; without them the distribution's cloud kernel. What else can
# be chosen is at the top of tests/legacy/vm.
check-vm: setup
	$(Q)rpm/setup static vm
	$(Q)$(MAKE) --no-print-directory $(jobs) static build/tools.done build/tests/attack
	$(Q)VM_KERNEL="$(KERNEL)" VM_MODULES="$(MODULES)" tests/run --build build vm

# Static programs for guests, which the distribution's C library cannot give: it does not work on old kernels. After the libraries, whose
# build would only be waited for.
build/tools.done: rpm/static/build $(wildcard rpm/static/recipes/* rpm/static/tools/*) | build/deps.done
	$(Q)rpm/setup static
	$(Q)rpm/static/build build/tools tools
	$(Q)touch $@

asan: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) -k $(programs:%=build/asan/%) $(asan_tests) $(test_tools); built=$$?; \
		TEST_SECONDS=3600 tests/run --build build/asan unit fuzz integration && exit $$built

# Each fuzzer for FUZZ_SECONDS; FUZZ=f_NAME for one. What they find is kept in build/fuzz; the corpus grows there, not in the repository.
FUZZ_SECONDS ?= 600
FUZZ         ?= $(fuzzers)
fuzz: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) $(FUZZ:%=build/fuzz/tests/%)
	$(Q)set -e; for f in $(FUZZ); do \
		corpus=build/fuzz/corpus/$${f#f_}; mkdir -p $$corpus; echo "  FUZZ  $$f, $(FUZZ_SECONDS) s"; \
		build/fuzz/tests/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -artifact_prefix=build/fuzz/$$f- \
			-verbosity=0 -print_final_stats=1 $$corpus tests/fuzz/corpus/$${f#f_}; \
	done

demo: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) all
	$(Q)tests/demo build

bench: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) static
	$(Q)tests/bench/run build/static

build/bench/clock: tests/bench/clock.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LANG_FLAGS) $(WARN) -O2 -o $@ $<

# The release programs where "make static" made them, otherwise those of the development build. What goes where is in rpm/files.
install: all
	$(Q)from=build; [ ! -x build/static/pouchd ] || from=build/static; \
		rpm/install $$from '$(DESTDIR)' '$(PREFIX)' '$(SYSCONFDIR)'

# The package of the release programs: build/rpm/pouch-VERSION-RELEASE.el6.x86_64.rpm.
RPM_RELEASE ?= 1
rpm:
	$(Q)rpm/setup rpm
	$(Q)$(MAKE) --no-print-directory $(jobs) static
	$(Q)rpm/build build/static $(VERSION) $(RPM_RELEASE) build/rpm
	@printf '  build/rpm: '; ls build/rpm

lint: all
	$(Q)tests/run --build build lint

# What the analyzers of clang and gcc find, against the answers in tests/lint/analyze.answered: minutes.
analyze: setup
	$(Q)tests/lint/analyze

# Everything: each suite on this kernel, integration and security on played old kernels, and a part of them on a real kernel in a virtual
# machine. The first call may have to install packages, so that what they provide is only known to the second. What does not build fails,
# and keeps nothing else from being tested.
check: setup
	$(Q)rpm/setup static vm
	$(Q)$(MAKE) --no-print-directory $(jobs) -k all $(dev_tests) $(test_tools) static build/tools.done; built=$$?; \
		tests/check here old vm && exit $$built

# What is quick of it: this kernel alone.
check-here: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) -k all $(dev_tests) $(test_tools); built=$$?; tests/check here && exit $$built

# What takes long: every system call of the runtime's commands made to fail, with three errors; registries that take minutes to be given up.
check-long: setup
	$(Q)$(MAKE) --no-print-directory $(jobs) -k all $(dev_tests) $(test_tools)
	$(Q)FAULT_STEP=1 FAULT_ERRORS='12 1 5' SECURITY_LONG=yes TEST_SECONDS=7200 tests/run --build build tests/integration/31-oci-faults.sh \
		tests/security/50-registries.sh tests/security/52-bombs.sh

.SECONDARY:

clean:
	rm -rf build
