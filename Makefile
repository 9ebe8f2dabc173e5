# make demo   what varve promises, on real input, in a minute
# make test   all that CI runs
# make soak   the long versions: crash, damage, fuzz
# make bench  the same work on varve and on its peers; writes the table of README.md

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
SYSTEMS     := linux/386 darwin/arm64 freebsd/amd64
FUZZTIME    ?= 1s

# The packages in which several goroutines work on one thing, and those of their tests that
# the race detector sees nothing in, and takes ten times as long for: what one goroutine does
# over and over (crash, fault, damage and model), what counts memory or reads source, and what
# runs in other processes. unit runs these alone, and race all others, so that no test
# is run twice; without a C compiler unit runs everything.
RACE  := ./store/... ./index/... ./integrity/... ./archiver/... ./internal/... ./cmd/varve
ALONE := PowerCut|Cut|Crash|Kill|CallFails|FailedCalls|FailingCalls|Damage|Injur|Flip|Hole|Model|Costs|Memory|Peak|Filled|Churn|TestFailed|TestPages|TestCompareFinds|ScanRanges|LevelsRead|Exported|LibrariesWrite|TestScripts|OperationsManual|TestPrometheusSees|AfterAClose|WhatIsNeeded|HelpDocumentsJSON|TestInterrupted|ClosedPipe|StandardOutput|ImportStops|IgnoredSignals

.PHONY: demo test tools format vet staticcheck systems unit race fuzz-short bench-builds demo-works soak crash damage model kills fuzz bench

demo:
	@$(GO) run ./cmd/varve/internal/demo

# One after the other, the quick ones first, whatever -j says.
test:
	@$(MAKE) --no-print-directory tools
	@$(MAKE) --no-print-directory format
	@$(MAKE) --no-print-directory vet
	@$(MAKE) --no-print-directory staticcheck
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory fuzz-short
	@$(MAKE) --no-print-directory systems
	@$(MAKE) --no-print-directory bench-builds
	@$(MAKE) --no-print-directory demo-works
	@echo "== make test: everything passed"
	@./.ci/left-out

# The race detector needs a C compiler, which varve itself does not. It is
# installed where that can be done without asking.
tools:
	@echo "== tools"
	@./.ci/tools

format:
	@echo "== gofmt"
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "not formatted: $$files"; exit 1; fi

vet:
	@echo "== go vet"
	@$(GO) vet ./...

staticcheck:
	@echo "== staticcheck"
	@$(GO) run $(STATICCHECK) ./...

unit:
	@echo "== go test"
	@if ./.ci/left-out race >/dev/null; then \
		raced=$$($(GO) list $(RACE)) && \
		$(GO) test -vet=off -timeout 15m $$($(GO) list ./... | grep -vxF "$$raced") && \
		$(GO) test -vet=off -timeout 15m -run '$(ALONE)' $$raced; \
	else \
		$(GO) test -vet=off -timeout 15m ./...; \
	fi

race:
	@echo "== go test -race"
	@if ./.ci/left-out race; then $(GO) test -vet=off -race -skip '$(ALONE)' -timeout 15m $(RACE); fi

fuzz-short:
	@echo "== fuzzing, $(FUZZTIME) each"
	@./.ci/fuzz $(FUZZTIME)

systems:
	@./.ci/systems $(SYSTEMS)

bench-builds:
	@echo "== bench: go vet, go test"
	@cd bench && $(GO) vet ./... && $(GO) test -vet=off -short ./...

demo-works:
	@echo "== make demo"
	@out=$$($(MAKE) --no-print-directory demo 2>&1) || { echo "$$out"; exit 1; }

soak: crash model damage kills fuzz

crash:
	VARVE_CRASH_STATES=$${VARVE_CRASH_STATES:-100000} VARVE_FAULT_STEP=1 $(GO) test -count=1 -timeout 4h -v -run 'Crash|Kill|FailedCalls|CallFails' ./store

model:
	VARVE_MODEL_OPS=$${VARVE_MODEL_OPS:-1000000} $(GO) test -count=1 -timeout 4h -v -run 'Model' ./store

damage:
	VARVE_DAMAGE=all $(GO) test -count=1 -timeout 4h -v -run 'Damage' ./store
	VARVE_DAMAGE=all $(GO) test -count=1 -timeout 4h -run 'Repair|Salvage' ./integrity/...
	VARVE_DAMAGE=all $(GO) test -count=1 -timeout 1h -run "Hole" ./archiver/history

# The archiver, killed over and over, to a folder and to an S3 server.
kills:
	VARVE_KILLS=$${VARVE_KILLS:-500} $(GO) test -count=1 -timeout 1h -v -run 'TestKill$$' ./archiver

fuzz: FUZZTIME = 10m
fuzz:
	./.ci/fuzz $(FUZZTIME)

bench:
	cd bench && $(GO) run . -readme ../README.md
