package io.pipeops.agent.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import net.jqwik.api.Assume;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Hostile input: nothing but {@link ProtocolException} comes out, in bounded time. */
class FuzzTest {
  private static final Pattern SURROGATE = Pattern.compile("\\\\u[dD][89a-fA-F]");

  private static final String[] PIECES = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u00",
    "\\ud800",
    "null",
    "true",
    "-",
    "0",
    "1e",
    "1e999999999",
    "9".repeat(30),
    "9".repeat(2000),
    "0." + "1".repeat(2000),
    "\"type\":",
    "\"a\"",
    "\u0000",
    "\u00e9",
    "\uFEFF",
    "\"data\":\"",
    "\"headers\":{",
    "\"body\":",
    "[".repeat(300),
    "{\"a\":".repeat(300),
    "\"timeout\":",
    "\"status\":",
    "\"" + "n".repeat(2000) + "\":1,"
  };

  /** Parses an envelope and, whatever its type, tries its payload with every parser. */
  private static void everything(byte[] bytes, int offset, int length) {
    try {
      Message message = Envelopes.parse(bytes, offset, length);
      payloads(message.payload());
    } catch (ProtocolException e) {
      assertTrue(e.getMessage().length() < 300, e::getMessage);
    }
    payloads(new JsonText(bytes, offset, length));
    ByteBuffer binary = ByteBuffer.wrap(bytes, offset, length);
    attempt(() -> BinaryBody.parse(binary));
    attempt(() -> BinaryResponse.parse(binary));
    attempt(() -> TunnelFrame.parse(binary));
  }

  private static void payloads(JsonText text) {
    for (Parsers.Parser parser : Parsers.ALL.values()) {
      attempt(
          () -> {
            Payload payload = parser.parse(text);
            // What was understood can be passed on, and printed.
            Message again = EnvelopesTest.parse(Envelopes.write("id", payload));
            parser.parse(again.payload());
            return payload.toString();
          });
    }
  }

  private interface Attempt {
    Object run() throws ProtocolException;
  }

  private static void attempt(Attempt attempt) {
    try {
      attempt.run();
    } catch (ProtocolException e) {
      assertTrue(e.getMessage().length() < 300, e::getMessage);
    }
  }

  @Property(tries = 400)
  void randomBytes(@ForAll byte[] bytes) {
    everything(bytes, 0, bytes.length);
  }

  @Property(tries = 400)
  void mutatedMessages(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    byte[] bytes = RoundTripTest.wire(random);
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      bytes = mutate(random, bytes);
    }
    int offset = random.nextInt(4);
    byte[] shifted = new byte[bytes.length + offset + random.nextInt(3)];
    Arrays.fill(shifted, (byte) '}');
    System.arraycopy(bytes, 0, shifted, offset, bytes.length);
    everything(shifted, offset, bytes.length);
  }

  private static byte[] mutate(Random random, byte[] bytes) {
    int at = random.nextInt(bytes.length + 1);
    switch (random.nextInt(5)) {
      case 0 -> {
        return Arrays.copyOf(bytes, at);
      }
      case 1 -> {
        byte[] out = bytes.clone();
        if (at < out.length) {
          out[at] = (byte) random.nextInt();
        }
        return out;
      }
      case 2 -> {
        int to = Math.min(bytes.length, at + random.nextInt(20));
        return join(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, to, bytes.length));
      }
      case 3 -> {
        int to = Math.min(bytes.length, at + random.nextInt(40));
        return join(Arrays.copyOf(bytes, to), Arrays.copyOfRange(bytes, at, bytes.length));
      }
      default -> {
        byte[] piece = PIECES[random.nextInt(PIECES.length)].getBytes(UTF_8);
        return join(
            join(Arrays.copyOf(bytes, at), piece), Arrays.copyOfRange(bytes, at, bytes.length));
      }
    }
  }

  private static byte[] join(byte[] a, byte[] b) {
    byte[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }

  @Property(tries = 400)
  void piecesOfJson(@ForAll long seed) {
    Random random = new Random(seed);
    StringBuilder out =
        new StringBuilder(random.nextBoolean() ? "{\"type\":\"x\",\"payload\":{" : "");
    for (int i = random.nextInt(30); i > 0; i--) {
      out.append(PIECES[random.nextInt(PIECES.length)]);
    }
    byte[] bytes = out.toString().getBytes(UTF_8);
    everything(bytes, 0, bytes.length);
  }

  /** Every known field with every type of value. */
  @Property(tries = 400)
  void wrongTypes(@ForAll long seed) {
    Random random = new Random(seed);
    String[] names = {
      "type",
      "request_id",
      "payload",
      "timestamp",
      "cluster_id",
      "headers",
      "body",
      "body_encoding",
      "timeout",
      "deadline",
      "status",
      "data",
      "chunk",
      "encoding",
      "size",
      "service_port",
      "client_port",
      "message_type",
      "head_data",
      "metadata",
      "labels",
      "features",
      "yamux_config",
      "use_yamux",
      "supported_types",
      "workspace_id",
      "bytes_sent",
      "method"
    };
    String[] values = {
      "null",
      "true",
      "false",
      "0",
      "-1",
      "1.5",
      "1e400",
      "-1e-400",
      "9".repeat(25),
      "9".repeat(1500),
      "\"\"",
      "\"x\"",
      "\"aGk=\"",
      "\"\\ud800\"",
      "[]",
      "[[1],{},null,\"a\",2]",
      "{}",
      "{\"a\":{\"b\":[1]},\"c\":\"d\",\"max_stream_window_size\":1e9}",
      "{\"A\":[\"x\",5]}"
    };
    StringBuilder out = new StringBuilder("{\"status\":200,\"cluster_id\":\"c\",\"data\":\"\"");
    for (int i = random.nextInt(12); i > 0; i--) {
      out.append(",\"").append(names[random.nextInt(names.length)]).append("\":");
      out.append(values[random.nextInt(values.length)]);
    }
    byte[] bytes = out.append('}').toString().getBytes(UTF_8);
    everything(bytes, 0, bytes.length);
  }

  /** The scanner takes and refuses exactly what the JSON library and the strict decoder do. */
  @Property(tries = 400)
  void scannerAgreesWithTheLibrary(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    byte[] bytes = RoundTripTest.wire(random);
    for (int i = random.nextInt(3); i > 0; i--) {
      bytes = mutate(random, bytes);
    }
    byte[] text = bytes;
    // The library refuses half a surrogate pair in a name, which JSON allows and Go replaces.
    Assume.that(!SURROGATE.matcher(new String(text, UTF_8)).find());
    assertEquals(library(text), scanner(text), () -> new String(text, UTF_8));
  }

  private static boolean scanner(byte[] text) {
    try {
      JsonFields in = new JsonFields(text, 0, text.length, "test");
      boolean any = false;
      while (in.next()) {
        any = true;
      }
      return any || text.length > 0;
    } catch (ProtocolException e) {
      // The library is used without limits here.
      return e.getMessage().contains("nested deeper") && library(text);
    }
  }

  private static final com.fasterxml.jackson.core.JsonFactory UNLIMITED =
      com.fasterxml.jackson.core.JsonFactory.builder()
          .streamReadConstraints(
              com.fasterxml.jackson.core.StreamReadConstraints.builder()
                  .maxNumberLength(Integer.MAX_VALUE)
                  .build())
          .build();

  private static boolean library(byte[] text) {
    try {
      UTF_8.newDecoder().decode(ByteBuffer.wrap(text));
    } catch (CharacterCodingException e) {
      return false;
    }
    if (new String(text, UTF_8).startsWith("\uFEFF")) {
      return false;
    }
    try (JsonParser json = UNLIMITED.createParser(text)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return false;
      }
      json.skipChildren();
      return json.nextToken() == null;
    } catch (IOException e) {
      return false;
    }
  }

  @Example
  void hugeInputsTakeBoundedTime() {
    byte[] zeros = new byte[2 << 20];
    List<byte[]> inputs =
        List.of(
            zeros,
            "[".repeat(2 << 20).getBytes(UTF_8),
            ("{\"type\":\"x\",\"payload\":{\"a\":" + "9".repeat(2 << 20) + "}}").getBytes(UTF_8),
            ("{\"type\":\"x\",\"timeout\":" + "9".repeat(2 << 20) + "}").getBytes(UTF_8),
            ("{\"type\":\"" + "\\n".repeat(1 << 20) + "\"}").getBytes(UTF_8),
            ("{\"" + "n".repeat(2 << 20) + "\":1}").getBytes(UTF_8),
            ("{\"labels\":{\"" + "n".repeat(2 << 20) + "\":1}}").getBytes(UTF_8),
            ("{\"headers\":{" + "\"a\":\"b\",".repeat(100_000) + "\"c\":1}}").getBytes(UTF_8),
            ("{\"data\":\"" + "A".repeat(2 << 20) + "\"}").getBytes(UTF_8));
    assertTimeout(Duration.ofSeconds(60), () -> inputs.forEach(in -> everything(in, 0, in.length)));
  }

  @Example
  void aFloodOfHeaderValuesIsRefused() {
    String json = "{\"headers\":{" + "\"a\":\"b\",".repeat(20_000) + "\"c\":\"d\"}}";
    assertThrows(ProtocolException.class, () -> ProxyRequest.parse(JsonText.of(json)));
  }

  @Example
  void exceptionsDoNotQuoteTheMessage() {
    for (String bad :
        List.of(
            "{\"k8s_service_token\":s3cret}",
            "{\"k8s_service_token\":\"s3cret",
            "{\"s3cret\"}",
            "{\"labels\":{\"a\":s3cret}}")) {
      ProtocolException e =
          assertThrows(ProtocolException.class, () -> Register.parse(JsonText.of(bad)));
      assertTrue(!e.getMessage().contains("s3cret") && e.getCause() == null, e::getMessage);
    }
  }
}
