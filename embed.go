package main

import "embed"

// templates are the files of this repository that setup copies and changes for
// a deployment.
//
//go:embed compose.yaml livekit.yaml.example .env.example
var templates embed.FS
