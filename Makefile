# Needs Go. `make` alone lists the targets; the README has the plain go commands.

GO      ?= go
VERSION ?= $(shell cat VERSION)

# How many times `make e2e-nodes` runs its tests.
RUNS ?= 1

# How long each fuzz target runs in `make fuzz`.
FUZZTIME ?= 10s

# The race detector needs a C compiler. Without one, RACE is empty.
RACE = $(shell $(GO) build -race runtime/cgo 2>/dev/null && echo -race)

.DEFAULT_GOAL := help
.PHONY: help build test test-redis e2e e2e-appservice e2e-nodes breakages connection-test deploy stack demo image release publish bench bench-leaves bench-scale hostile lint fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build/matrixrtc-auth, static, stamped with the number in VERSION
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o build/matrixrtc-auth .

test: ## every test but those of e2e, the ones against a real LiveKit SFU included (cold: some minutes)
	@echo "== race detector: $(if $(RACE),on,off: it needs a C compiler)"
	@echo "== unit tests, black-box scripts, documentation"
	$(GO) test $(RACE) -timeout 20m -shuffle=on ./...
	cd internal/protoyaml && $(GO) test $(RACE) -shuffle=on ./...
	@echo "== the benchmark's own"
	cd bench && $(GO) test $(RACE) -shuffle=on ./...
	@echo "== the image without Docker"
	cd image && $(GO) test $(RACE) -shuffle=on ./...
	@echo "== against a real LiveKit SFU (the first run compiles it, which takes minutes)"
	cd e2e && $(GO) test $(RACE) -timeout 20m -shuffle=on . ./stack

test-redis: ## the Redis store on a real Redis, its failovers, replicas, and LiveKit's nodes on one: needs redis-server
	$(GO) test $(RACE) -timeout 20m -p 1 -shuffle=on -tags redis ./leave/redisstore/... ./leave/standby/... ./faults/...
	cd e2e && $(GO) test $(RACE) -shuffle=on -tags redis -parallel 8 -run '^TestNode' .

e2e: ## the whole stack with Element Call in a browser (installs what it needs: e2e/install.sh)
	e2e/install.sh
	cd e2e/page && node_modules/.bin/tsc -p .
	@echo "== building LiveKit (the first time it takes minutes)"
	@cd e2e && $(GO) tool -n github.com/livekit/livekit-server/cmd/server >/dev/null
	cd e2e && $(GO) test $(RACE) -count=1 -timeout 40m -v ./browser

e2e-appservice: ## the application-service mode on two real Synapses that federate (the same installer)
	e2e/install.sh appservice
	cd e2e && $(GO) test $(RACE) -count=1 -parallel 4 -timeout 15m -v ./appservice

e2e-nodes: ## LiveKit nodes that die, with Go clients and with Element Call (RUNS=20: so many times)
	e2e/install.sh
	cd e2e && $(GO) test $(RACE) -count=$(RUNS) -timeout 10h -tags redis -parallel 8 -run '^TestNode' . -args -every
	cd e2e && $(GO) test $(RACE) -count=$(RUNS) -timeout 10h -v -run '^TestNodes$$' ./browser

breakages: ## a whole deployment, broken in a hundred ways: doctor names each (some minutes; root, Linux; BREAKAGESFLAGS=-write)
	e2e/install.sh breakages
	cd e2e && $(GO) test -count=1 -timeout 20m -v ./breakages -args $(BREAKAGESFLAGS)
	$(if $(findstring -write,$(BREAKAGESFLAGS)),$(GO) generate ./doctor)

deploy: ## systemd units, alerts, dashboard and the chart, with the tools that use them (installs Prometheus)
	deploy/install.sh
	cd deploy && $(GO) test $(RACE) -timeout 15m -shuffle=on ./...
	@echo "== the chart"
# The tests of the chart run without the race detector: they use one goroutine, and a
# second build of Helm and of Kubernetes' types takes minutes. They run without go vet,
# because make lint runs it.
	cd deploy/helm && $(GO) test -vet=off -timeout 15m -shuffle=on ./...

connection-test: ## the page of the connection test on a phone-sized Chromium, on deployments that are right and wrong (three minutes; root, Linux; CONNECTIONFLAGS="-pictures DIR")
	e2e/install.sh
	cd e2e && $(GO) test -count=1 -timeout 15m -v ./breakages -args -connection $(CONNECTIONFLAGS)
	cd e2e && $(GO) test -count=1 ./testpage

stack: ## Synapse, LiveKit, nginx and the service, for a call in your own browser (the same installer)
	@e2e/install.sh stack
	@cd e2e && up=$$($(GO) tool -n matrixrtc-auth/e2e/up) && exec "$$up"

demo: ## a real LiveKit SFU admits a participant with a token of this service (ONCE=1: then it ends)
	@echo "== building the demo (the first time it and the SFU take 2 to 3 minutes)"
	@cd e2e && demo=$$($(GO) tool -n matrixrtc-auth/e2e/demo) && exec "$$demo"

image: ## the container image as files for docker load, one for each processor (needs no Docker; ARCH=arm64: only that)
	$(GO) run -C image . $(if $(ARCH),-arch $(ARCH))

release: ## build/release: programs, images, lists of modules (SBOM), checksums; made twice and compared (some minutes; ARCH=arm64: only that)
	$(GO) run -C image ./release $(if $(ARCH),-arch $(ARCH)) $(if $(TAG),-tag "$(TAG)")

publish: ## push the images of build/release to a registry as one, and print its digest (IMAGE=ghcr.io/example/matrixrtc-auth)
	@$(GO) run -C image ./publish -to "$(IMAGE)"

bench: ## speed, memory and start-up beside two baselines, and delegated leaves (some minutes; BENCHFLAGS=-write)
	cd bench && $(GO) build -o ../build/bench .
	build/bench $(BENCHFLAGS)

bench-scale: ## three replicas and 100,000 leaves on one Redis, a conference, one replica killed (ten minutes at most; needs redis-server)
	cd bench && $(GO) build -o ../build/bench .
	build/bench -scale $(BENCHFLAGS)

bench-leaves: ## delegations a second of each store (half a minute; needs redis-server)
	$(GO) test -run '^$$' -bench Delegate -benchtime 20000x -count 3 ./leave/memstore ./leave/filestore
	$(GO) test -tags redis -run '^$$' -bench Delegate -benchtime 20000x -count 3 ./leave/redisstore

hostile: ## strangers' homeservers and clients try every trick: memory, time, what is left (three minutes; root, Linux)
	$(GO) build -o build/hostile ./hostile
	build/hostile -spoiled
	build/hostile

lint: ## gofmt, go vet and staticcheck over all modules, actionlint over the workflows, no built program among the sources
	@echo "== gofmt"
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) || exit 1; \
	[ -z "$$unformatted" ] || { echo "not formatted:"; echo "$$unformatted"; exit 1; }
	@echo "== no program among the sources"
	@! git grep -l -a -P '^\x7fELF' -- . || { echo "these were built, and are to be left out"; exit 1; }
	@echo "== go vet and staticcheck"
	$(GO) build -o build/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(GO) vet ./... && build/staticcheck ./...
	cd internal/protoyaml && $(GO) vet ./... && ../../build/staticcheck ./...
	cd bench && $(GO) vet ./... && ../build/staticcheck ./...
	cd image && $(GO) vet ./... && ../build/staticcheck ./...
	cd deploy && $(GO) vet ./... && ../build/staticcheck ./...
	cd deploy/helm && $(GO) vet ./... && ../../build/staticcheck ./...
	cd e2e && $(GO) vet ./... && ../build/staticcheck ./...
	@echo "== actionlint"
	$(GO) build -modfile "$(CURDIR)/.github/actionlint/go.mod" -o build/actionlint github.com/rhysd/actionlint/cmd/actionlint
	build/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml

fuzz: ## every fuzz target for FUZZTIME (10s)
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done
