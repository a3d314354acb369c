package main

import "embed"

// templates are the files of this repository from which setup makes the files
// of a deployment.
//
//go:embed compose.yaml livekit.yaml.example .env.example
var templates embed.FS
