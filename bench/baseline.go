package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/livekit/protocol/auth"
)

// The SFU and every measured server use this API key and this secret.
const (
	apiKey    = "bench"
	apiSecret = "a-secret-of-the-benchmark-of-48-characters-in-all"
)

// baseline is the server with which the benchmark compares the service. It
// gives the same answers as the service. It uses net/http, encoding/json and
// livekit/protocol with their defaults. It has no limits, no log, no metrics,
// no discovery and no checks of addresses.
type baseline struct {
	sfuURL string
	// client sends requests to homeservers, to learn who the user is. Baseline (a)
	// believes the user id in the request, so its client is nil.
	client *http.Client
}

// tokenBody is the body of a request to /get_token.
type tokenBody struct {
	RoomID      string      `json:"room_id"`
	SlotID      string      `json:"slot_id"`
	OpenIDToken openIDToken `json:"openid_token"`
	Member      member      `json:"member"`
}

type openIDToken struct {
	AccessToken string `json:"access_token"`
	Server      string `json:"matrix_server_name"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
}

type member struct {
	ID     string `json:"id"`
	User   string `json:"claimed_user_id"`
	Device string `json:"claimed_device_id"`
}

func serveBaseline(args []string) error {
	flags := flag.NewFlagSet("baseline", flag.ContinueOnError)
	sfuURL := flags.String("sfu", "", "the URL of the SFU that clients get")
	caFile := flags.String("ca", "", "the file of the homeserver's CA; without it nobody is verified")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := &baseline{sfuURL: *sfuURL}
	if *caFile != "" {
		var err error
		if b.client, err = pooledClient(*caFile); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /get_token", b.getToken)
	go http.Serve(listener, mux)
	return obey(hello{Addr: listener.Addr().String()}, nil)
}

// pooledClient returns a client of net/http that keeps every connection. By
// default, net/http keeps only two idle connections per host, so it would
// close and reopen most of them.
func pooledClient(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the file %s contains no certificate", caFile)
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}}, nil
}

func (b *baseline) getToken(w http.ResponseWriter, r *http.Request) {
	var body tokenBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		fail(w, http.StatusBadRequest, "M_NOT_JSON", err)
		return
	}
	if err := b.verify(r.Context(), body); err != nil {
		fail(w, http.StatusUnauthorized, "M_UNAUTHORIZED", err)
		return
	}
	jwt, err := mint(body)
	if err != nil {
		fail(w, http.StatusInternalServerError, "M_UNKNOWN", err)
		return
	}
	answer(w, http.StatusOK, struct {
		URL string `json:"url"`
		JWT string `json:"jwt"`
	}{b.sfuURL, jwt})
}

func (b *baseline) verify(ctx context.Context, body tokenBody) error {
	if b.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sub, err := b.userinfo(ctx, body.OpenIDToken)
	if err != nil {
		return err
	}
	_, server, _ := strings.Cut(sub, ":")
	if sub != body.Member.User || server != body.OpenIDToken.Server {
		return errors.New("the token is for another user")
	}
	return nil
}

func (b *baseline) userinfo(ctx context.Context, token openIDToken) (sub string, err error) {
	address := "https://" + token.Server + "/_matrix/federation/v1/openid/userinfo?access_token=" + url.QueryEscape(token.AccessToken)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the homeserver answers the request to userinfo with %s", response.Status)
	}
	var info struct {
		Sub string `json:"sub"`
	}
	err = json.Unmarshal(raw, &info)
	return info.Sub, err
}

func mint(body tokenBody) (string, error) {
	publish := true
	grant := &auth.VideoGrant{RoomJoin: true, Room: hashed(body.RoomID, body.SlotID), CanPublish: &publish, CanSubscribe: &publish}
	return auth.NewAccessToken(apiKey, apiSecret).
		SetIdentity(hashed(body.Member.User, body.Member.Device, body.Member.ID)).
		SetVideoGrant(grant).
		SetValidFor(time.Hour).
		ToJWT()
}

// hashed returns the unpadded base64 of the SHA-256 of the JSON array of parts.
// No part may contain a character that JSON escapes.
func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(`["` + strings.Join(parts, `","`) + `"]`))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

func fail(w http.ResponseWriter, status int, errcode string, err error) {
	answer(w, status, map[string]string{"errcode": errcode, "error": err.Error()})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
