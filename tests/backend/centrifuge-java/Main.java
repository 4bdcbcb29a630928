import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.ConnectedEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenGetter;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.PublicationEvent;
import io.github.centrifugal.centrifuge.ReplyError;
import io.github.centrifugal.centrifuge.SubscribedEvent;
import io.github.centrifugal.centrifuge.Subscription;
import io.github.centrifugal.centrifuge.SubscriptionEventListener;
import io.github.centrifugal.centrifuge.TokenCallback;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Centrifugo's own SDK for Java, which has only protobuf: alice, whose tokens expire, follows bob. The arguments are the
 * address, bob's token, and three tokens of alice: an expired one, one that expires soon, and a valid one. Prints nothing on
 * success.
 */
public class Main {
  static final int DEADLINE_SECONDS = 20;

  public static void main(String[] arguments) throws Exception {
    String address = arguments[0];
    Person alice = new Person(address, List.of(arguments).subList(2, arguments.length));
    alice.client.connect();
    hears(alice.tokenRequests, "the request for another token");
    hears(alice.connected, "alice's connect");
    BlockingQueue<String> seen = alice.follows("status:bob");
    expect(seen, "{'user':'bob','online':false,'statuses':[]}");

    Person bob = new Person(address, List.of(arguments[1]));
    bob.client.connect();
    expect(seen, "{'user':'bob','online':true,'statuses':[''],#}");
    check(bob.calls("update_user_status", "{\"state\":\"dnd\"}").isEmpty(), "the result is not empty");
    expect(seen, "{'user':'bob','online':true,'statuses':['dnd'],#,'state':'dnd'}");
    try {
      bob.calls("nope", "{}");
      check(false, "an unknown method was called");
    } catch (java.util.concurrent.ExecutionException failure) {
      ReplyError error = (ReplyError) failure.getCause();
      check(error.getCode() == 104, "an unknown method: " + error.getCode());
    }

    hears(alice.tokenRequests, "the request for a third token");
    bob.calls("update_user_status", "{\"state\":\"back\"}");
    expect(seen, "{'user':'bob','online':true,'statuses':['back'],#,'state':'back'}");
    bob.client.disconnect();
    expect(seen, "{'user':'bob','online':false,'statuses':[],#,'state':'back'}");
    check(hears(bob.disconnected, "bob's disconnect").getCode() == 0, "bob was disconnected with another code");
    alice.client.disconnect();
    check(hears(alice.disconnected, "alice's disconnect").getCode() == 0, "alice was disconnected with another code");
    check(alice.connected.isEmpty(), "alice was connected twice");

    Person stranger = new Person(address, List.of("nonsense"));
    stranger.client.connect();
    int code = hears(stranger.disconnected, "a stranger's disconnect").getCode();
    check(code == 3500, "a stranger was disconnected with " + code);
    for (Person each : List.of(alice, bob, stranger)) {
      check(each.client.close(1000 * DEADLINE_SECONDS), "a client does not close");
    }
    // The SDK's HTTP client keeps its threads for some time.
    System.exit(0);
  }

  static void expect(BlockingQueue<String> seen, String expected) throws InterruptedException {
    // The times stand between the other members, and differ.
    String found = hears(seen, expected).replaceAll("(\"(active|last_online)\":\\d+,?)+", "#,").replace("#,}", "#}");
    check(found.equals(expected.replace('\'', '"')), "expected " + expected + ", seen " + found);
  }

  static <T> T hears(BlockingQueue<T> events, String what) throws InterruptedException {
    T event = events.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
    check(event != null, "waited in vain for " + what);
    return event;
  }

  static void check(boolean holds, String complaint) {
    if (!holds) {
      System.err.println(complaint);
      System.exit(1);
    }
  }

  /** A client, and its events. */
  static class Person extends EventListener {
    final BlockingQueue<String> tokenRequests = new LinkedBlockingQueue<>();
    final BlockingQueue<ConnectedEvent> connected = new LinkedBlockingQueue<>();
    final BlockingQueue<DisconnectedEvent> disconnected = new LinkedBlockingQueue<>();
    final Client client;

    Person(String address, List<String> tokens) {
      Iterator<String> rest = tokens.iterator();
      Options options = new Options();
      options.setToken(rest.next());
      options.setTokenGetter(new ConnectionTokenGetter() {
        @Override
        public void getConnectionToken(ConnectionTokenEvent event, TokenCallback callback) {
          tokenRequests.add("requested");
          callback.Done(null, rest.next());
        }
      });
      client = new Client(address, options, this);
    }

    @Override
    public void onConnected(Client client, ConnectedEvent event) {
      connected.add(event);
    }

    @Override
    public void onDisconnected(Client client, DisconnectedEvent event) {
      disconnected.add(event);
    }

    /** Subscribes, and returns the data of the reply and of all later publications. */
    BlockingQueue<String> follows(String channel) throws Exception {
      BlockingQueue<String> seen = new LinkedBlockingQueue<>();
      client.newSubscription(channel, new SubscriptionEventListener() {
        @Override
        public void onSubscribed(Subscription subscription, SubscribedEvent event) {
          seen.add(new String(event.getData(), UTF_8));
        }

        @Override
        public void onPublication(Subscription subscription, PublicationEvent event) {
          seen.add(new String(event.getData(), UTF_8));
        }
      }).subscribe();
      return seen;
    }

    String calls(String method, String data) throws Exception {
      CompletableFuture<String> done = new CompletableFuture<>();
      client.rpc(method, data.getBytes(UTF_8), (error, result) -> {
        if (error != null || result.getError() != null) {
          done.completeExceptionally(error != null ? error : result.getError());
        } else {
          done.complete(new String(result.getData(), UTF_8));
        }
      });
      return done.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }
  }
}
