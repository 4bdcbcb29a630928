// Centrifugo's own SDK for Go: alice, whose tokens expire, follows bob. The arguments are the encoding, the address, bob's
// token, and three tokens of alice: an expired one, one that expires soon, and a valid one. Prints nothing on success.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"time"

	"github.com/centrifugal/centrifuge-go"
)

const deadline = 20 * time.Second

// status is the data in a user's channel.
type status struct {
	User     string
	Online   bool
	Statuses []string
	State    string
}

func main() {
	log.SetFlags(0)
	connect := centrifuge.NewJsonClient
	if os.Args[1] == "protobuf" {
		connect = centrifuge.NewProtobufClient
	}
	address, tokenOfBob, tokens := os.Args[2], os.Args[3], os.Args[4:]

	requests := make(chan struct{}, len(tokens))
	alice := connect(address, centrifuge.Config{Token: tokens[0], GetToken: func(centrifuge.ConnectionTokenEvent) (string, error) {
		tokens = tokens[1:]
		requests <- struct{}{}
		return tokens[0], nil
	}})
	connected, disconnected := watch(alice)
	must(alice.Connect())
	hears(requests, "the request for another token")
	hears(connected, "alice's connect")
	seen := follow(alice, "status:bob")
	expect(seen, status{User: "bob", Statuses: []string{}})

	bob := connect(address, centrifuge.Config{Token: tokenOfBob})
	_, bobDisconnected := watch(bob)
	must(bob.Connect())
	expect(seen, status{User: "bob", Online: true, Statuses: []string{""}})
	updates(bob, `{"state":"dnd"}`)
	expect(seen, status{User: "bob", Online: true, Statuses: []string{"dnd"}, State: "dnd"})
	refused(bob)

	hears(requests, "the request for a third token")
	updates(bob, `{"state":"back"}`)
	expect(seen, status{User: "bob", Online: true, Statuses: []string{"back"}, State: "back"})
	must(bob.Disconnect())
	isDisconnected(bobDisconnected, 0)
	expect(seen, status{User: "bob", Statuses: []string{}, State: "back"})
	must(alice.Disconnect())
	isDisconnected(disconnected, 0)
	if len(connected) > 0 {
		log.Fatal("alice was connected twice")
	}

	stranger := connect(address, centrifuge.Config{Token: "nonsense"})
	_, strangerDisconnected := watch(stranger)
	must(stranger.Connect())
	isDisconnected(strangerDisconnected, 3500)
}

// watch returns channels with the client's connects and disconnects.
func watch(client *centrifuge.Client) (chan struct{}, chan centrifuge.DisconnectedEvent) {
	connected, disconnected := make(chan struct{}, 10), make(chan centrifuge.DisconnectedEvent, 10)
	client.OnConnected(func(centrifuge.ConnectedEvent) { connected <- struct{}{} })
	client.OnDisconnected(func(event centrifuge.DisconnectedEvent) { disconnected <- event })
	return connected, disconnected
}

// follow subscribes and returns a channel with the data of the reply and of all later publications.
func follow(client *centrifuge.Client, channel string) chan []byte {
	seen := make(chan []byte, 100)
	subscription, err := client.NewSubscription(channel)
	must(err)
	subscription.OnSubscribed(func(event centrifuge.SubscribedEvent) { seen <- event.Data })
	subscription.OnPublication(func(event centrifuge.PublicationEvent) { seen <- event.Data })
	must(subscription.Subscribe())
	return seen
}

func updates(client *centrifuge.Client, data string) {
	context, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	result, err := client.RPC(context, "update_user_status", []byte(data))
	if err != nil || len(result.Data) > 0 {
		log.Fatalf("update: %q, %v", result.Data, err)
	}
}

func refused(client *centrifuge.Client) {
	context, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var failure *centrifuge.Error
	_, err := client.RPC(context, "nope", []byte("{}"))
	if !errors.As(err, &failure) || failure.Code != 104 {
		log.Fatalf("an unknown method: %v", err)
	}
}

func expect(seen chan []byte, expected status) {
	var found status
	must(json.Unmarshal(hears(seen, "a status"), &found))
	if wanted, shown := text(expected), text(found); wanted != shown {
		log.Fatalf("expected %s, seen %s", wanted, shown)
	}
}

func isDisconnected(disconnected chan centrifuge.DisconnectedEvent, code uint32) {
	if event := hears(disconnected, "a disconnect"); event.Code != code {
		log.Fatalf("disconnected with %d %s, expected %d", event.Code, event.Reason, code)
	}
}

func hears[T any](events chan T, what string) T {
	select {
	case event := <-events:
		return event
	case <-time.After(deadline):
		log.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func text(status status) string {
	text, err := json.Marshal(status)
	must(err)
	return string(text)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
