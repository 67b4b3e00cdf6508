package rtcstats_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/internal/demo"
)

var (
	ipv4  = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	ipv6  = regexp.MustCompile(`(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}`)
	uuids = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	hosts = regexp.MustCompile(`https?://[^"\\ ]+|(?:turns?|stuns?):[^"\\ ]+|\b[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*\.(?:local|com|net|org|example)\b`)
	words = regexp.MustCompile(`[a-z]`)
)

// personal gathers what a dump tells about people, machines and places, from the fields in which recorders put it and from
// whatever looks like an address anywhere.
func personal(data []byte) map[string]string {
	out := map[string]string{}
	add := func(what string, found ...string) {
		const least = 4 // shorter texts are in anything by chance
		for _, s := range found {
			if len(s) >= least {
				out[s] = what
			}
		}
	}
	text := string(data)
	for _, found := range ipv4.FindAllString(text, -1) {
		if _, err := netip.ParseAddr(found); err == nil && found != "0.0.0.0" {
			add("IPv4", found)
		}
	}
	for _, found := range ipv6.FindAllString(text, -1) {
		if a, err := netip.ParseAddr(found); err == nil && a.Is6() && !a.IsUnspecified() {
			add("IPv6", found)
		}
	}
	add("UUID", uuids.FindAllString(text, -1)...)
	add("host", hosts.FindAllString(text, -1)...)
	for line := range bytes.Lines(data) {
		var fields []any
		if json.Unmarshal(line, &fields) != nil || len(fields) < 3 {
			continue
		}
		collect(fields[2], fields[0] == "identity", add)
	}
	return out
}

// Fields whose texts are about a person, a device or a place.
var personalFields = map[string]string{
	"displayName": "name", "userId": "user", "userID": "user", "endpointId": "endpoint", "confName": "room", "confID": "room",
	"statsSessionId": "session", "meetingUniqueId": "room", "meetingFqn": "room", "conferenceId": "room", "roomJid": "room", "deploymentInfo": "place",
	"label": "device", "deviceId": "device", "groupId": "device", "url": "URL", "ip": "address", "address": "address", "relatedAddress": "address",
	"userAgent": "agent", "origin": "URL", "path": "URL", "usernameFragment": "ICE", "trackIdentifier": "track", "base64Certificate": "certificate",
	"fingerprint": "certificate", "tenant": "place", "region": "place", "shard": "place", "remoteEndpoint": "endpoint", "clientId": "endpoint",
}

func collect(v any, all bool, add func(string, ...string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			s, isText := value.(string)
			if what := personalFields[name]; isText && what != "" {
				add(what, s)
			} else if isText && all && words.MatchString(s) {
				add("identity", s)
			}
			collect(value, all, add)
		}
	case []any:
		for _, value := range v {
			collect(value, all, add)
		}
	}
}

// spelt is a result as it is sent and as it is shown, in lower case.
func spelt(t *testing.T, result *decode.Result) []byte {
	t.Helper()
	var all []byte
	for _, e := range result.Events {
		binary, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, binary...), text...)
	}
	return bytes.ToLower(all)
}

// Words that events say of themselves, whoever is in the call: a dump whose field has one of them tells nothing by it.
var ownWords = map[string]bool{"eu-1": true, "browser": true, "h264": true}

func assertPrivate(t *testing.T, data []byte, secrets map[string]string) {
	t.Helper()
	result := mustDecode(t, data)
	all := spelt(t, result)
	// The search finds what is there: the SSRC of each stream is in both.
	for _, s := range ended(result) {
		if ssrc := strconv.AppendUint(nil, uint64(s.Ssrc), 10); !bytes.Contains(data, ssrc) || !bytes.Contains(all, ssrc) {
			t.Fatal("the search does not find what must be there")
		}
	}
	for secret, what := range secrets {
		if bytes.Contains(all, []byte(strings.ToLower(secret))) && !ownWords[strings.ToLower(secret)] {
			t.Errorf("%s %q is in the events", what, secret)
		}
	}
	if kind := result.Events[1].GetParticipantJoined().GetIdentity(); kind.GetKind() != eventpb.Identity_KIND_GUEST || kind.GetUserId() != "" || kind.GetDisplayName() != "" {
		t.Errorf("whoever recorded the dump is %v", kind.GetKind())
	}
}

func TestPrivacyOfDemo(t *testing.T) {
	for _, file := range demo.Files() {
		t.Run(file.Name, func(t *testing.T) {
			secrets := personal(file.Data)
			for _, canary := range demo.PersonalData() {
				if !bytes.Contains(file.Data, []byte(canary)) {
					t.Errorf("%q is not in the dump, so that its absence from the events would prove nothing", canary)
				}
				secrets[canary] = "canary"
			}
			for _, whole := range []string{"Dana Demo-Guest", "192.0.2.10"} {
				if personal(file.Data)[whole] == "" {
					t.Errorf("%q is not found by the search for personal data", whole)
				}
			}
			assertPrivate(t, file.Data, secrets)
		})
	}
}

func TestPrivacyOfFixtures(t *testing.T) {
	for name, data := range dumps(t) {
		t.Run(name, func(t *testing.T) {
			secrets := personal(data)
			kinds := map[string]int{}
			for _, what := range secrets {
				kinds[what]++
			}
			t.Logf("%d secrets: %v", len(secrets), kinds)
			if len(secrets) < 20 || kinds["IPv4"]+kinds["IPv6"] == 0 {
				t.Errorf("found only %v to look for", kinds)
			}
			assertPrivate(t, data, secrets)
		})
	}
}

// Names wherever a dump may hold a text: none comes out, also where a closed vocabulary is expected, nor in an error.
func TestCanaryEverywhere(t *testing.T) {
	const canary = "Canary-McBird"
	stats := `["getstats","` + canary + `PC",{"timestamp":1772359201000,"` + canary + `1":{"type":"inbound-rtp","kind":"` + canary + `","codecId":"` + canary + `2","packetsReceived":5},` +
		`"` + canary + `2":{"type":"codec","mimeType":"audio/` + canary + `"},"` + canary + `3":{"type":"` + canary + `"},` +
		`"` + canary + `4":{"type":"candidate-pair","state":"succeeded","nominated":true,"localCandidateId":"` + canary + `5"},` +
		`"` + canary + `5":{"type":"local-candidate","candidateType":"` + canary + `","protocol":"` + canary + `","url":"turn:` + canary + `"}},1772359201000]`
	lines := []string{infoLine, strings.Replace(infoLine, `"userAgent":""`, `"userAgent":"`+canary+` Chrome/99.0 (`+canary+`)"`, 1), stats}
	for _, method := range []string{
		"identity", "create", "constraints", "oniceconnectionstatechange", "onconnectionstatechange", "ondtlsstatechange", "ondtlserror", "setVideoType", "close",
		"createOfferOnFailure", "navigator.mediaDevices.getUserMedia", "navigator.mediaDevices.getUserMediaOnSuccess", "navigator.mediaDevices.getUserMediaOnFailure",
		"navigator.mediaDevices.getDisplayMediaOnSuccess", "navigator.mediaDevices.getDisplayMediaOnFailure", canary,
	} {
		for _, value := range []string{`"` + canary + `"`, `["` + canary + `"]`, `{"audio":true,"video":"` + canary + `","name":"` + canary + `","displayName":"` + canary + `","` + canary + `":1}`} {
			lines = append(lines, `["`+method+`","`+canary+`PC",`+value+`,1772359202000]`)
		}
	}
	data := []byte(strings.Join(lines, "\n"))
	if all := spelt(t, mustDecode(t, data)); bytes.Contains(all, bytes.ToLower([]byte(canary))) {
		t.Error("the canary is in the events")
	}
	for i := range lines {
		broken := append([]string(nil), lines...)
		broken[i] = strings.Replace(broken[i], "[", "["+canary, 1)
		_, err := rtcstats.Decode([]byte(strings.Join(broken, "\n")), options(t))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("line %d damaged: error is %q", i+1, err)
		}
	}
}

// Of an org user whom the importer vouches for, the name is kept.
func TestOrgUser(t *testing.T) {
	opt := options(t)
	opt.OrgUser = true
	result, err := rtcstats.Decode(demo.Files()[0].Data, opt)
	if err != nil {
		t.Fatal(err)
	}
	identity := result.Events[1].GetParticipantJoined().GetIdentity()
	if identity.GetKind() != eventpb.Identity_KIND_ORG_USER || identity.GetDisplayName() != "Dana Demo-Guest" {
		t.Errorf("the recorder is %v, name known: %t", identity.GetKind(), identity.GetDisplayName() != "")
	}
}
