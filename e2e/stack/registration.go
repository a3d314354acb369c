package stack

import (
	"fmt"
	"path/filepath"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/matrix"
)

// register makes the services of the stack an application service of the homeserver, if
// Registered is set. The homeserver then announces two URLs to clients. Newer clients
// read the SFU's URL (url), and ask the homeserver for a token. Older clients read the
// service's URL (livekit_service_url), and ask the service.
func (s *Stack) register() error {
	if !s.Registered {
		return nil
	}
	server, err := matrix.ParseServerName(s.Layout.ServerName)
	if err != nil {
		return err
	}
	file := filepath.Join(s.Host.Dir, "registration.yaml")
	if err := appservice.WriteFile(file, appservice.New(appservice.Wish{Server: server, URL: s.Services[0].URL(), Push: s.Pushed})); err != nil {
		return err
	}
	for _, service := range s.Services {
		service.Env["LIVEKIT_HS_SERVER_NAME"], service.Env["LIVEKIT_AS_REGISTRATION_FILE"] = s.Layout.ServerName, file
	}
	s.Synapse.Additions = append(s.Synapse.Additions, fmt.Sprintf(`
experimental_features: {msc4502_enabled: true, msc4512_enabled: true}
app_service_config_files: [%q]
matrix_rtc: {transports: [{type: livekit, url: %q, livekit_service_url: %q}]}
`, file, s.Layout.SFU, s.Layout.Service))
	return nil
}
