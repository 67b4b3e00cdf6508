# `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The binary is built without C, and so are its tests.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL := go tool -modfile=tools/go.mod
# Arguments of go test, as in: make test TESTS='./store/... -run Insert -v'
TESTS ?= ./...
# Arguments of anteroom run, as in: make run ARGS='--data /tmp/a --no-demo'
ARGS ?=
# How long each fuzz target runs. Unset outside of CI: then the seeds alone are run, with the other tests.
FUZZTIME ?= $(if $(filter true,$(CI)),5s)

RECORD := internal/demo/record

.PHONY: help run build test lint format generate generate-check fuzz bench torture demo-record vulncheck clean deps licences sbom reproducible audit

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and start Anteroom with its own engines (ARGS='…' are passed on)
	@exec bin/anteroom run $(ARGS)

build: ## make bin/anteroom and what it needs at run time
	@scripts/engine.sh bin/lib
	@scripts/web.sh
	@[ -x bin/anteroom ] || echo "Building bin/anteroom …"
	@go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/anteroom ./cmd/anteroom

# What the tests need beyond Go. Debian packages are installed under CI=true only.
deps: $(RECORD)/node_modules/.package-lock.json
	@$(if $(filter true,$(CI)),scripts/ci-deps.sh)
	@scripts/engine.sh
	@scripts/web.sh

$(RECORD)/node_modules/.package-lock.json: $(RECORD)/package-lock.json
	@echo "Fetching the recorder's browser driver, once …"
	@cd $(RECORD) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: deps ## run all tests (TESTS='./store/...' narrows them)
	@echo "Building the tests …"
	@scripts/test.sh $(TESTS)
	@scripts/test-node.sh $(RECORD)
	@go build -trimpath -o bin/anteroom ./cmd/anteroom
	@ANTEROOM_BIN=$(CURDIR)/bin/anteroom scripts/test-node.sh web/test
	@$(if $(FUZZTIME),scripts/fuzz.sh $(FUZZTIME))

lint: ## check style and common mistakes, without changing anything
	@go mod tidy -diff
	@echo "Checking with golangci-lint …"
	@$(TOOL) golangci-lint run ./...
	@for script in .ci/run scripts/*.sh; do bash -n $$script; done
	@node --check $(RECORD)/record.mjs
	@scripts/web.sh check

format: ## format all Go files
	@$(TOOL) golangci-lint fmt ./...

generate: ## write generated code again
	@echo "Generating event/eventpb …"
	@$(TOOL) buf lint
	@$(TOOL) buf generate
	@go generate ./...

generate-check: generate ## fail if generated code is not what its sources say
	@git diff --exit-code --stat

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(or $(FUZZTIME),10s)

bench: build ## measure ingest beside raw inserts and ClickHouse's Kafka engine (needs Java)
	@go run ./bench $(ARGS)

torture: deps ## kill and disturb everything for TIME=20m, parts by themselves KILLS=30 times; one table
	@scripts/torture.sh $(or $(TIME),20m) $(or $(KILLS),30)

demo-record: deps ## record the demonstration calls again (needs Chromium)
	@cd $(RECORD) && npm run --silent record

vulncheck: ## look for known vulnerabilities in what is used
	@$(TOOL) govulncheck ./...

audit: ## look for known vulnerabilities in npm packages (asks the registry)
	@scripts/audit.sh

licences: ## write what Anteroom is made of to THIRD_PARTY.md
	@go run ./internal/supply licences > THIRD_PARTY.md.new
	@mv THIRD_PARTY.md.new THIRD_PARTY.md

sbom: ## write a bill of materials (CycloneDX) to bin/anteroom.cdx.json
	@mkdir -p bin
	@go run ./internal/supply sbom > bin/anteroom.cdx.json
	@echo bin/anteroom.cdx.json

reproducible: ## build the binary twice, in two folders, and compare
	@scripts/reproducible.sh

clean: ## remove what was built (data folders stay)
	@rm -rf bin
