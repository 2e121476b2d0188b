# Gridwarden. `make help` lists what there is.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory

GO            ?= go
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
INFLUXD       := v1.8.10
GOLANGCI_LINT := v2.15.0

# What may be set on the command line.
TEST_FLAGS  ?=
TEST_PKGS   ?= ./...
TIMEOUT     ?= 20m
FUZZTIME    ?= 10s
SOAK        ?= 5m
OPCUA_WINDOW ?= 5m
BENCHTIME   ?= 1s
CASES       ?=
WARM        ?= 8s
WINDOW      ?= 30s
DEMO_FLAGS  ?=
BENCH_FLAGS ?=

# Without C and debug tables the first build takes a quarter less; a panic still
# names its lines. For a debugger: make gridwarden GCFLAGS=
GCFLAGS ?= -gcflags=all=-dwarf=false
FLAGS   := -trimpath $(GCFLAGS)
BUILD   := CGO_ENABLED=0 $(GO) build $(FLAGS) -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"
BIN   := $(CURDIR)/bin
LINT  := bin/golangci-lint-$(GOLANGCI_LINT)

.PHONY: help build demo test peers screenshots bench soak fuzz lint fmt clean gridwarden gridsim vectors bench-polling bench-opcua bench-streams bench-detection

help: ## this list
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: gridwarden gridsim bin/influxd ## bin/gridwarden, bin/gridsim, bin/influxd

gridwarden gridsim: vectors
	@echo "building bin/$@"
	@$(BUILD) -v -o bin/$@ ./cmd/$@ 2>&1 | .ci/progress

# No register map goes into the program that nothing proves; the tests say
# whether the vectors are met.
vectors:
	@for profile in $(filter-out %.vectors.yaml,$(wildcard configs/profiles/*.yaml)); do \
		test -s "$${profile%.yaml}.vectors.yaml" || { echo "$$profile: no test vectors; write $${profile%.yaml}.vectors.yaml with at least five"; exit 1; }; \
	done

# InfluxDB 1.8 is a program of its own: built from its module, never linked in.
bin/influxd:
	@echo "building bin/influxd $(INFLUXD) (once; about a minute)"
	@mkdir -p bin
	@GOFLAGS= CGO_ENABLED=0 GOBIN=$(BIN) $(GO) install -v $(FLAGS) -ldflags "-s -w -X main.version=$(INFLUXD:v%=%)" \
		github.com/influxdata/influxdb/cmd/influxd@$(INFLUXD) 2>&1 | .ci/progress

demo: gridwarden bin/influxd ## a simulated district with everything running; console on port 8480
	@exec bin/gridwarden demo $(DEMO_FLAGS)

peers: bin/influxd ## what the tests talk to: Debian and npm packages, only where missing
	@.ci/peers

test: peers gridwarden gridsim ## vet and all tests with the race detector
	$(GO) vet ./... && $(GO) vet -tags demo ./cmd/gridwarden
	$(GO) test -race -timeout $(TIMEOUT) $(TEST_FLAGS) $(TEST_PKGS)
	@echo "the demo as a user runs it, three other seeds, the browser and a kill (about four minutes)"
	$(GO) test -tags demo -count 1 -timeout $(TIMEOUT) -run '^Test(Demo|OtherSeeds|Kill)' -v ./cmd/gridwarden

screenshots: peers gridwarden ## the pictures of the README, from a running demo
	GRIDWARDEN_SCREENSHOTS=$(CURDIR)/var/screenshots $(GO) test -tags demo -count 1 -run '^TestDemoInTheBrowser$$' ./cmd/gridwarden
	cp var/screenshots/usage-point.png internal/console/screenshots/

bench: bin/influxd ## all benchmarks
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -timeout 60m $(TEST_PKGS)

# One program at a time on an otherwise idle machine, or the numbers say nothing.
bench-polling: gridwarden ## polling beside a recorded baseline; CASES="ports-1000 gw-1000", list, largest or path
	@$(BUILD) -o bin/bench-sim ./internal/poll/bench/sim
	@$(BUILD) -o bin/bench-polling ./internal/poll/bench/runner
	@bin/bench-polling -cases "$(CASES)" -warm $(WARM) -window $(WINDOW) -results var/bench-polling/results.jsonl $(BENCH_FLAGS)

bench-opcua: peers ## 10,000 monitored items and 1,000-node reads against node-opcua; OPCUA_WINDOW=5m
	@GRIDWARDEN_BENCH_OPCUA=$(OPCUA_WINDOW) $(GO) test -count 1 -timeout 0 -v -run '^TestBench' ./drivers/opcua | grep -v '^20[0-9][0-9]/'

bench-streams: peers gridwarden bin/influxd ## streams, historian, curves: CASES="scan import"; list says what there is
	@$(BUILD) -o bin/bench-streams ./internal/streambench
	@bin/bench-streams -cases "$(CASES)" $(BENCH_FLAGS)

bench-detection: gridwarden ## what the detectors find and whom they bother; BENCH_FLAGS="-quick -check -data DIR -only district"
	@$(BUILD) -o bin/bench-detection ./internal/accuracy/bench
	@bin/bench-detection $(BENCH_FLAGS)

soak: ## drivers against hostile servers for SOAK: no wrong value, no leak, no stuck device
	GRIDWARDEN_SOAK=$(SOAK) $(GO) test -count 1 -v -timeout 0 -run '^TestHostile' ./drivers/...

fuzz: ## every fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

lint: $(LINT) ## gofmt, go vet, staticcheck and the rules of .golangci.yml
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
		if [ -n "$$unformatted" ]; then echo "not formatted; run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... && $(GO) vet -tags demo ./cmd/gridwarden
	$(LINT) run ./...

fmt: ## format the Go files
	gofmt -w $$(git ls-files '*.go')

$(LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT) (once; some minutes)"
	@mkdir -p bin
	@GOFLAGS= GOBIN=$(BIN) $(GO) install -v -trimpath \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT) 2>&1 | .ci/progress
	@mv bin/golangci-lint $@

clean: ## remove what the other targets have made here
	rm -rf bin var scan-out
	find . -name node_modules -type d -prune -exec rm -rf {} +
