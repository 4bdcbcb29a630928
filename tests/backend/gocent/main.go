// Centrifugo's own Go client for backends, which knows only the legacy endpoint: it reads the node's info, disconnects a user,
// and is refused with another key. The arguments are the API's address and the key. Prints nothing on success.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"github.com/centrifugal/gocent/v3"
)

func main() {
	log.SetFlags(0)
	address, key := os.Args[1], os.Args[2]
	context, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := gocent.New(gocent.Config{Addr: address, Key: key})

	info, err := client.Info(context)
	if err != nil || len(info.Nodes) != 1 || info.Nodes[0].UID == "" {
		log.Fatalf("info: %+v, %v", info, err)
	}
	if err := client.Disconnect(context, "42"); err != nil {
		log.Fatalf("disconnect: %v", err)
	}
	var failure *gocent.Error
	_, err = client.PresenceStats(context, "chat")
	if !errors.As(err, &failure) || failure.Code != 104 {
		log.Fatalf("presence stats, which are not supported: %v", err)
	}
	var status gocent.ErrStatusCode
	_, err = gocent.New(gocent.Config{Addr: address, Key: "another"}).Info(context)
	if !errors.As(err, &status) || status.Code != 401 {
		log.Fatalf("another key: %v", err)
	}
}
