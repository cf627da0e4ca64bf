# Surefoot. `make` alone lists what there is.

GO      ?= go
TOOL    := $(GO) tool -modfile=scripts/tools.mod
BIN     := bin/surefoot
ROOT    := $(shell [ "$$(id -u)" = 0 ] && echo yes)
SUDO    := $(if $(ROOT),,sudo)
# The version is git's: stamped only where git can say it (in a source archive it cannot).
VCS     := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(VCS) -ldflags='-s -w'
# As root nothing may be skipped; anybody else's run leaves out what needs network namespaces.
REQUIRE := $(if $(ROOT),SUREFOOT_TEST_REQUIRE=1)
MINUTES ?= 1
SOAK    ?= 1000000
# Programs on a loopback interface of their own, which takes root.
ALONE   := $(if $(ROOT),unshare -n sh -c 'ip link set lo up && exec "$$@"' sh)
# Programs that scripts/setup could only unpack, since they exclude others.
export PATH := $(PATH):$(CURDIR)/.cache/oracles/usr/sbin:$(CURDIR)/.cache/oracles/usr/bin

.DEFAULT_GOAL := help
.PHONY: help run build test check generate conform bench bench-watch microbench e2e fuzz soak deb clean setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build, and boot an emulated PC through Surefoot in a lab on this machine
	@scripts/setup run
	@$(MAKE) --no-print-directory build
	@if [ -n "$(SUDO)" ] && ! command -v sudo >/dev/null; then \
		echo "make run: the lab needs root for its network namespaces; run it as root" >&2; exit 1; fi
	@exec $(SUDO) $(BIN) lab run

build: ## bin/surefoot, one static binary
	@mkdir -p bin
	$(BUILD) -o $(BIN) ./cmd/surefoot

test: ## everything: unit, packets, fuzz seeds, command line, namespaces, boots (13 minutes)
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	$(GO) vet ./...
	@$(if $(ROOT),,echo "not root: tests that need network namespaces are skipped (sudo make test runs all)")
	$(REQUIRE) $(GO) test -p 4 -timeout 10m $$($(GO) list ./... | grep -v -e /e2e$$ -e /conform$$)
	$(REQUIRE) SUREFOOT_BIN=$(CURDIR)/$(BIN) $(GO) test -v -timeout 14m ./e2e

check: ## formatting, vet, staticcheck, import policy, generated files, and the tests with -race
	@scripts/setup test check
	@out=$$($(TOOL) gofumpt -l .) && [ -z "$$out" ] || { echo "not gofumpt-formatted:" $$out >&2; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@scripts/check-generated
	$(REQUIRE) CGO_ENABLED=1 $(GO) test -race -p 2 -timeout 20m $$($(GO) list ./... | grep -v -e /e2e$$ -e /conform$$)

generate: ## test bootstraps, references in docs, golden tables
	@scripts/setup generate
	$(GO) generate ./...

bench: ## our TFTP, DNS and DHCP servers beside others, a table each (15 minutes); BENCH=a500 one case, BENCH=relay, BENCH=dns, BENCH=dhcp, BENCH=dsr
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	$(REQUIRE) SUREFOOT_BIN=$(CURDIR)/$(BIN) SUREFOOT_BENCH='$(BENCH)' $(GO) test -run '^$$' -bench '^BenchmarkServers$$' -timeout 40m ./internal/storm ./internal/storm/dhcp ./internal/serve/dns ./internal/lb/dsr

bench-watch: ## 10,000 real tests every 10 s by one node: CPU, memory, late starts, answers meanwhile (2 minutes)
	@$(MAKE) --no-print-directory build
	@$(GO) build -o bin/watchload ./scripts/watchload
	@$(ALONE) bin/watchload

microbench: ## benchmarks of parts
	$(GO) test -run '^$$' -bench . -benchmem ./...

conform: ## the TFTP conformance suite, against our server and the others (it measures times: leave the machine alone)
	@scripts/setup test
	$(REQUIRE) $(GO) test -count=1 ./internal/serve/tftp/conform

e2e: ## boots of emulated PCs; E2E=NAME runs the scenarios whose names begin so, E2E=. all there are
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@$(GO) test -c -o bin/e2e.test ./e2e
	@cd e2e && $(REQUIRE) SUREFOOT_BIN=$(CURDIR)/$(BIN) ../bin/e2e.test -test.v -test.timeout 30m -test.run 'TestE2E/^$(E2E)'

fuzz: ## every fuzz target for MINUTES=1 each (0.2 is 12 s)
	@scripts/fuzz $(MINUTES)

soak: ## SOAK=1000000 downloads with 1 % loss; the server's memory, goroutines and descriptors (10 minutes)
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@$(GO) build -o bin/soak ./scripts/soak
	@$(ALONE) bin/soak -downloads $(SOAK) -picture bin/soak.png

deb: build ## dist/*.deb
	@scripts/deb

clean: ## remove what was built
	rm -rf bin dist

setup: ## install every Debian package that any target uses
	@scripts/setup all
