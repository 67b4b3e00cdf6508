package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/media/load"
	"github.com/anteroom/anteroom/media/protocol"
)

// loadOptions are the flags of load.
type loadOptions struct {
	load.Config
	meeting, server, data, org, tokenFile string
	guests                                int
}

func (c *cli) loadCommand() *cobra.Command {
	opt := loadOptions{Config: load.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Put clients into a meeting and measure what reaches them",
		Long: `Has made-up clients join a meeting, publish and receive media, and prints packets delivered and lost, how long joins took, and the
server's processor time per delivered packet. It ends by itself. Publishers receive nothing; each subscriber receives all that is published.

Clients are users of the organisation, by tokens of the development issuer of a running anteroom run (--data), or by --token-file; the last
--guests of them are guests of the join page. The server must be on this machine, unless --server names it. Its rate limits hold: a machine
that is to take more than 20 joins a second needs media.joins_per_address and signalling.connections_per_address raised.

  anteroom load --meeting 'http://127.0.0.1:8480/join/…#…' --publishers 1 --subscribers 40`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runLoad(cmd, opt) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opt.meeting, "meeting", "", "`link` of the meeting")
	flags.IntVar(&opt.Publishers, "publishers", opt.Publishers, "clients that publish")
	flags.IntVar(&opt.Subscribers, "subscribers", opt.Subscribers, "clients that receive")
	flags.IntVar(&opt.guests, "guests", 0, "how many of the clients are guests")
	flags.IntVar(&opt.VideoBitrate, "video-bitrate", opt.VideoBitrate, "`bits` per second of each publisher's video; 0 is none")
	flags.BoolVar(&opt.Audio, "audio", opt.Audio, "publish audio, 50 packets a second")
	flags.DurationVar(&opt.Duration, "duration", opt.Duration, "how long to measure")
	flags.DurationVar(&opt.Ramp, "ramp", 0, "over how long joins are spread (default: 70 ms for each client)")
	flags.DurationVar(&opt.JoinTimeout, "join-timeout", opt.JoinTimeout, "how long one client may take to get in")
	flags.StringVar(&opt.server, "server", "", "`address` of a server that is not on this machine, as in the link (https://meet.example.org)")
	flags.StringVar(&opt.data, "data", config.Default().Embedded.Data, "data `folder` of the running Anteroom")
	flags.StringVar(&opt.org, "org", demoOrg, "`organisation` of the users")
	flags.StringVar(&opt.tokenFile, "token-file", "", "`file` with tokens of users, one a line, instead of --data; clients take them in turn")
	_ = cmd.MarkFlagRequired("meeting")
	_ = cmd.MarkFlagFilename("token-file")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

func (c *cli) runLoad(cmd *cobra.Command, opt loadOptions) error {
	link, err := parseMeetingLink(opt.meeting, opt.server)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	opt.URL = link.server
	if !cmd.Flags().Changed("ramp") {
		opt.Ramp = time.Duration(opt.Clients()) * 70 * time.Millisecond
	}
	if opt.guests < 0 || opt.guests > opt.Clients() {
		return fmt.Errorf("%w: --guests: %d is not 0 to %d, the number of clients", errConfig, opt.guests, opt.Clients())
	}
	if err := opt.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	users, err := opt.userTokens()
	if err != nil {
		return err
	}
	if url, err := embedded.RunningURL(opt.data); err == nil && url == opt.URL {
		opt.ServerPid, _ = embedded.RunningPid(opt.data)
	}
	result, err := load.Run(cmd.Context(), opt.Config, opt.joiner(link, users))
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return c.print(result, result.String())
}

// meetingLink is a meeting's link, taken apart.
type meetingLink struct{ server, meeting, secret string }

// parseMeetingLink refuses servers elsewhere, unless they are named a second time.
func parseMeetingLink(link, server string) (meetingLink, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Fragment == "" || !strings.Contains(u.Path, "/join/") {
		return meetingLink{}, errors.New("--meeting: give the whole link, such as http://127.0.0.1:8480/join/…#…, in quotes")
	}
	address := u.Scheme + "://" + u.Host
	switch {
	case server == "" && !onLoopback(u.Hostname()):
		return meetingLink{}, fmt.Errorf("--meeting: the link leads to another machine; if load may be put on it, say so: --server %s", address)
	case server != "" && strings.TrimSuffix(server, "/") != address:
		return meetingLink{}, fmt.Errorf("--server: is not the link's server, %s", address)
	}
	_, id, _ := strings.Cut(u.Path, "/join/")
	return meetingLink{server: address, meeting: strings.Trim(id, "/"), secret: u.Fragment}, nil
}

func onLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// userTokens gives the token of the organisation's user of a number.
func (opt loadOptions) userTokens() (func(n int) (string, error), error) {
	if opt.tokenFile == "" {
		return func(n int) (string, error) {
			return devToken(tokenOptions{
				data: opt.data, org: opt.org, user: fmt.Sprintf("load-%d", n), roles: []string{string(identity.OrgUser)}, ttl: time.Hour,
			})
		}, nil
	}
	raw, err := os.ReadFile(opt.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("%w: --token-file: %w", errConfig, err)
	}
	tokens := strings.Fields(string(raw))
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%w: --token-file: there is no token in it", errConfig)
	}
	return func(n int) (string, error) { return tokens[n%len(tokens)], nil }, nil
}

func (opt loadOptions) joiner(link meetingLink, users func(int) (string, error)) load.Joiner {
	return func(ctx context.Context, n int) (protocol.Join, error) {
		join := protocol.Join{Meeting: link.meeting, Secret: link.secret, Client: protocol.ClientInfo{Kind: "bot"}}
		var err error
		if n < opt.Clients()-opt.guests {
			join.UserToken, err = users(n)
			return join, err
		}
		join.DisplayName = fmt.Sprintf("Load %d", n)
		join.GuestToken, err = joinPageToken(ctx, link.server)
		return join, err
	}
}

// joinPageToken asks for what the join page gives to its guests.
func joinPageToken(ctx context.Context, server string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/v1/join-page/token", bytes.NewReader(nil))
	if err != nil {
		return "", fmt.Errorf("ask for a guest's token: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask for a guest's token: %w", err)
	}
	defer resp.Body.Close()
	var got struct {
		Token string `json:"guest_token"`
	}
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("ask for a guest's token (HTTP status %d)", resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", fmt.Errorf("read a guest's token: %w", err)
	}
	return got.Token, nil
}
