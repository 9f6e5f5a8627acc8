package io.pipeops.agent.itests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** What programs do with a Redis at a port: a pipeline, a blocking read, and a subscription. */
final class RedisCalls {
  private static final int KEYS = 10_000;
  private static final int VALUE_BYTES = 256;

  /** The pipeline publishes after every so many keys. */
  private static final int NEWS = 10;

  private final int port;

  RedisCalls(int port) {
    this.port = port;
  }

  /**
   * 10,000 values in and out by one connection, which tells a second one of them, while a third
   * waits for a list to be filled; which happens after nothing at all was said for this long.
   */
  void pipelineWhileOthersWait(Duration quiet) throws Exception {
    try (Client waiting = new Client(port);
        Client subscribed = new Client(port);
        Client busy = new Client(port)) {
      subscribed.send("SUBSCRIBE", "news");
      assertEquals(List.of("subscribe", "news", 1L), subscribed.next());
      waiting.send("BLPOP", "jobs", "0");
      CompletableFuture<Void> written = new CompletableFuture<>();
      Thread.ofVirtual().start(() -> write(busy, written));
      for (int i = 0; i < KEYS; i++) {
        assertEquals("OK", busy.next());
        assertEquals(value(i), busy.next(), "value " + i);
        if (i % NEWS == 0) {
          assertEquals(1L, busy.next(), "subscribers");
        }
      }
      written.get(60, TimeUnit.SECONDS);
      for (int i = 0; i < KEYS; i += NEWS) {
        assertEquals(List.of("message", "news", "key " + i), subscribed.next());
      }
      LockSupport.parkNanos(quiet.toNanos());
      busy.send("RPUSH", "jobs", "work");
      assertEquals(1L, busy.next());
      assertEquals(List.of("jobs", "work"), waiting.next());
      busy.send("PUBLISH", "news", "late");
      assertEquals(1L, busy.next());
      assertEquals(List.of("message", "news", "late"), subscribed.next());
    }
  }

  private static void write(Client to, CompletableFuture<Void> written) {
    try {
      for (int i = 0; i < KEYS; i++) {
        to.add("SET", "key " + i, value(i));
        to.add("GET", "key " + i);
        if (i % NEWS == 0) {
          to.add("PUBLISH", "news", "key " + i);
        }
      }
      to.flush();
      written.complete(null);
    } catch (IOException e) {
      written.completeExceptionally(e);
    }
  }

  /** Bytes that nothing on the way makes smaller. */
  private static String value(int key) {
    byte[] value = new byte[VALUE_BYTES];
    new Random(key).nextBytes(value);
    return new String(value, ISO_8859_1);
  }

  /** One connection: requests as arrays of byte strings, and answers in the form of RESP 2. */
  private static final class Client implements AutoCloseable {
    private final Socket socket;
    private final OutputStream out;
    private final InputStream in;

    Client(int port) throws IOException {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setSoTimeout(60_000);
      out = new BufferedOutputStream(socket.getOutputStream(), 16 << 10);
      in = new BufferedInputStream(socket.getInputStream(), 16 << 10);
    }

    void add(String... words) throws IOException {
      StringBuilder request = new StringBuilder().append('*').append(words.length).append("\r\n");
      for (String word : words) {
        request.append('$').append(word.length()).append("\r\n").append(word).append("\r\n");
      }
      out.write(request.toString().getBytes(ISO_8859_1));
    }

    void send(String... words) throws IOException {
      add(words);
      flush();
    }

    void flush() throws IOException {
      out.flush();
    }

    /** A String, a Long, or a List of them; fails with what the server says is an error. */
    Object next() throws IOException {
      String line = line();
      String rest = line.substring(1);
      return switch (line.charAt(0)) {
        case '+' -> rest;
        case ':' -> Long.valueOf(rest);
        case '$' -> {
          String text = new String(in.readNBytes(Integer.parseInt(rest)), ISO_8859_1);
          assertEquals("", line());
          yield text;
        }
        case '*' -> {
          List<Object> list = new ArrayList<>();
          for (int left = Integer.parseInt(rest); left > 0; left--) {
            list.add(next());
          }
          yield list;
        }
        default -> throw new IOException("Redis answers " + line);
      };
    }

    private String line() throws IOException {
      StringBuilder line = new StringBuilder();
      for (int c = in.read(); c != '\n'; c = in.read()) {
        if (c < 0) {
          throw new EOFException("The connection ends after '" + line + "'");
        }
        if (c != '\r') {
          line.append((char) c);
        }
      }
      return line.toString();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }
}
