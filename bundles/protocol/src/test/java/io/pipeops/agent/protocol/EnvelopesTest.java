package io.pipeops.agent.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import java.nio.ByteBuffer;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EnvelopesTest {
  static Message parse(String json) throws ProtocolException {
    byte[] bytes = ("##" + json + "##").getBytes(UTF_8);
    return Envelopes.parse(bytes, 2, bytes.length - 4);
  }

  static Message parse(ByteBuffer message) throws ProtocolException {
    return Envelopes.parse(
        message.array(), message.arrayOffset() + message.position(), message.remaining());
  }

  @Test
  void givesThePayloadAsASliceOfTheSameBuffer() throws Exception {
    byte[] bytes =
        "xx {\"type\":\"ping\",\"request_id\":\"p-9\",\"payload\":{ \"a\":[1,{\"b\":\"}\"}] } } yy"
            .getBytes(UTF_8);
    Message message = Envelopes.parse(bytes, 2, bytes.length - 5);
    assertEquals("ping", message.type());
    assertEquals("p-9", message.requestId());
    assertSame(bytes, message.payload().bytes());
    assertEquals("{ \"a\":[1,{\"b\":\"}\"}] }", message.payload().toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\":\"x\",\"payload\":{\"k\":1}}",
        "{\"payload\":{\"k\":1},\"type\":\"x\"}",
        " \n\t{\"payload\" : {\"k\":1} ,\r\n\"type\": \"x\"}\n",
        "{\"payload\":{\"k\":1},\"timestamp\":7,\"type\":\"x\"}",
        "{\"timestamp\":{\"a\":[]},\"payload\":{\"k\":1},\"type\":\"x\",\"more\":[{}]}",
        "{\"type\":\"y\",\"payload\":{},\"payload\":{\"k\":1},\"type\":\"x\"}",
        "{\"ty\\u0070e\":\"\\u0078\",\"payload\":{\"k\":1}}",
        "{\"type\":\"x\",\"request_id\":null,\"payload\":{\"k\":1}}",
      })
  void toleratesEveryOrderAndUnknownFields(String json) throws Exception {
    Message message = parse(json);
    assertEquals("x", message.type());
    assertEquals("", message.requestId());
    assertEquals("{\"k\":1}", message.payload().toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"type\":\"x\"}", "{\"type\":\"x\",\"payload\":null}"})
  void aMissingPayloadIsEmpty(String json) throws Exception {
    assertTrue(parse(json).payload().isEmpty());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`` | empty",
        "[] | not a JSON object",
        "null | not a JSON object",
        "\"type\" | not a JSON object",
        "{} | no type",
        "{\"type\":\"\"} | no type",
        "{\"type\":5} | type is not a string",
        "{\"type\":null} | type is not a string",
        "{\"type\":\"x\",\"request_id\":5} | request_id is not a string",
        "{\"type\":\"x\",\"payload\":[]} | payload is not an object",
        "{\"type\":\"x\",\"payload\":\"{}\"} | payload is not an object",
        "{\"type\":\"x\"} {} | something follows",
        "{\"type\":\"x\"}] | something follows",
        "{\"type\":\"x\" | ends too early",
        "{\"type\":\"x\",\"payload\":{\"a\":[} | malformed JSON at byte 28",
        "{\"type\":\"x\",} | malformed JSON",
        "{\"type\":\"x\",\"payload\":{\"a\":01}} | malformed JSON",
        "{\"type\":\"x\",\"payload\":{\"a\":tru}} | malformed JSON",
        "{'type':'x'} | malformed JSON",
      })
  void tellsWhatIsWrong(String json, String problem) {
    ProtocolException e = assertThrows(ProtocolException.class, () -> parse(json));
    assertTrue(e.getMessage().startsWith("envelope: "), e::getMessage);
    assertTrue(e.getMessage().contains(problem), e::getMessage);
  }

  @Test
  void refusesWhatIsNotUtf8() {
    String json = "{\"type\":\"x\",\"payload\":{\"a\":\"##\"}}";
    int at = json.indexOf('#');
    byte[][] bad = {
      {(byte) 0xFF, 'a'}, {(byte) 0xC3, '('}, {(byte) 0xC0, (byte) 0x80}, {(byte) 0x80, 'a'},
    };
    for (byte[] pair : bad) {
      byte[] bytes = json.getBytes(UTF_8);
      bytes[at] = pair[0];
      bytes[at + 1] = pair[1];
      ProtocolException e =
          assertThrows(ProtocolException.class, () -> Envelopes.parse(bytes, 0, bytes.length));
      assertEquals("envelope: invalid UTF-8 at byte " + at, e.getMessage());
    }
    byte[] utf16 = "{\"type\":\"x\"}".getBytes(java.nio.charset.StandardCharsets.UTF_16LE);
    assertThrows(ProtocolException.class, () -> Envelopes.parse(utf16, 0, utf16.length));
    byte[] bom = "\uFEFF{\"type\":\"x\"}".getBytes(UTF_8);
    assertThrows(ProtocolException.class, () -> Envelopes.parse(bom, 0, bom.length));
  }

  @Test
  void refusesDeepNestingWithoutDeepRecursion() {
    String json = "{\"type\":\"x\",\"payload\":{\"a\":" + "[".repeat(1_000_000);
    ProtocolException e = assertThrows(ProtocolException.class, () -> parse(json));
    assertTrue(e.getMessage().contains("nested deeper"), e::getMessage);
  }

  @Test
  void refusesAMessageBeyondTheLimit() {
    assertThrows(
        ProtocolException.class, () -> Envelopes.parse(new byte[0], 0, Envelopes.MAX_MESSAGE + 1));
  }

  @Test
  void replacesLoneSurrogatesSoThatAnAnswerCanBeWritten() throws Exception {
    Message message = parse("{\"type\":\"x\",\"request_id\":\"a\\ud800b\"}");
    assertEquals("a\uFFFDb", message.requestId());
    ByteBuffer answer = Envelopes.write("a\uD800b", new ErrorMessage("\uDC00 \uD83D\uDE00"));
    Message back = parse(answer);
    assertEquals("a\uFFFDb", back.requestId());
    assertEquals("\uFFFD \uD83D\uDE00", ErrorMessage.parse(back.payload()).error());
  }

  @Test
  void writesAnEnvelopeWithTheTimeInUtc() throws Exception {
    Instant before = Instant.ofEpochMilli(System.currentTimeMillis());
    String json = UTF_8.decode(Envelopes.write("p-9", Pong.now())).toString();
    assertTrue(json.startsWith("{\"type\":\"pong\",\"request_id\":\"p-9\",\"payload\":{"), json);
    int at = json.lastIndexOf("\"timestamp\":\"") + 13;
    Instant time = Instant.parse(json.substring(at, json.indexOf('"', at)));
    assertFalse(time.isBefore(before), json);
    assertFalse(time.isAfter(Instant.now()), json);
    assertFalse(UTF_8.decode(Envelopes.write("", new Ping())).toString().contains("request_id"));
  }

  @Test
  void theFastWriterMeansTheSameAsTheGeneralOne() throws Exception {
    byte[] bytes = new byte[1000];
    new java.util.Random(1).nextBytes(bytes);
    for (int length : new int[] {0, 1, 2, 3, 4, 997, 998}) {
      ByteBuffer data = ByteBuffer.wrap(bytes, 2, length);
      for (Payload payload :
          new Payload[] {
            new ProxyResponseChunk(data),
            new ProxyRequestChunk(data),
            new ProxyRequestChunk(data.asReadOnlyBuffer()),
            new TcpTunnelData(data, TcpTunnelData.AGENT_TO_GATEWAY),
            new TcpTunnelData(data, ""),
            new WebSocketData("", "s\"1\n\u20AC", data, 0),
            new WebSocketData("w", "s", data, 2),
          }) {
        for (String id : new String[] {"", "r-1", "\"\\\u0001\uD800\u00E9"}) {
          String fast = withoutTime(DataWriter.write(payload.type(), id, payload));
          assertEquals(withoutTime(Envelopes.writeAny(payload.type(), id, payload)), fast);
          Message message = parse(fast + "0\"}");
          assertEquals(payload.type(), message.type());
        }
      }
    }
  }

  private static String withoutTime(ByteBuffer message) {
    String json = UTF_8.decode(message.duplicate()).toString();
    return json.substring(0, json.lastIndexOf("\"timestamp\":\"") + 13);
  }

  @Test
  void decodesDataAtAnyPlaceOfTheBuffer() throws Exception {
    ByteBuffer data = ByteBuffer.wrap("hello, world".getBytes(UTF_8));
    Message message = parse(Envelopes.write("r", new ProxyResponseChunk(data)));
    ByteBuffer back = ProxyResponseChunk.parse(message.payload()).data();
    byte[] bytes = new byte[back.remaining()];
    back.get(bytes);
    assertArrayEquals("hello, world".getBytes(UTF_8), bytes);
  }

  @Test
  void aSynonymIsWrittenUnderItsOwnName() throws Exception {
    WebSocketClose close = WebSocketClose.kubernetes("s-1");
    Message message = parse(Envelopes.write(WebSocketClose.ALIAS, "s-1", close));
    assertEquals("ws_close", message.type());
    assertEquals(close, WebSocketClose.parse(message.payload()));
    assertEquals(JsonText.NONE, parse("{\"type\":\"x\"}").payload());
  }
}
