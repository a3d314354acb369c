package main

import "embed"

// templates are files of this repository. The command setup makes the files of
// a deployment from them.
//
//go:embed compose.yaml livekit.yaml.example .env.example
var templates embed.FS
