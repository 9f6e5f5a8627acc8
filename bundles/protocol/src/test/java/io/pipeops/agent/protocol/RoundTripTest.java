package io.pipeops.agent.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pipeops.agent.api.link.Message;
import java.lang.reflect.Constructor;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever is written is read back the same, through the whole envelope. */
class RoundTripTest {
  @SuppressWarnings("unchecked")
  private static final List<Class<? extends Record>> RECORDS =
      List.of(
          Register.class,
          RegisterSuccess.class,
          RegisterInProgress.class,
          Heartbeat.class,
          HeartbeatAck.class,
          GatewayHello.class,
          GatewayHelloAck.class,
          Ping.class,
          Pong.class,
          ErrorMessage.class,
          ProtocolFallback.class,
          ProxyRequest.class,
          ProxyRequestChunk.class,
          ProxyRequestStreamEnd.class,
          ProxyRequestWindow.class,
          ProxyCancel.class,
          ProxyResponse.class,
          ProxyResponseHeader.class,
          ProxyResponseChunk.class,
          ProxyResponseEnd.class,
          ProxyResponseAbort.class,
          ProxyError.class,
          WebSocketStart.class,
          WebSocketData.class,
          WebSocketClose.class,
          Backpressure.class,
          TcpTunnelStart.class,
          TcpTunnelData.class,
          TcpTunnelClose.class,
          UdpTunnelData.class);

  @Property(tries = 400)
  void everyPayloadSurvives(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    Payload payload = payload(random);
    String id = text(random);
    for (ByteBuffer wire :
        List.of(Envelopes.write(id, payload), Envelopes.writeAny(payload.type(), id, payload))) {
      Message message = EnvelopesTest.parse(wire);
      assertEquals(payload.type(), message.type());
      assertEquals(id, message.requestId());
      assertEquals(payload, Parsers.ALL.get(message.type()).parse(message.payload()));
    }
  }

  @Property(tries = 400)
  void binaryFormsSurvive(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    BinaryBody body = new BinaryBody(text(random), bytes(random));
    assertEquals(body, BinaryBody.parse(body.write()));
    BinaryResponse response =
        new BinaryResponse(text(random), 100 + random.nextInt(500), headers(random), bytes(random));
    assertEquals(response, BinaryResponse.parse(response.write()));
    TunnelFrame frame = new TunnelFrame(8 + random.nextInt(3), bytes(random));
    assertEquals(frame, TunnelFrame.parse(frame.write()));
  }

  @Property(tries = 400)
  void goDurationsSurvive(@ForAll long nanos) throws Exception {
    Duration duration = Duration.ofNanos(nanos == Long.MIN_VALUE ? 0 : nanos);
    assertEquals(duration, GoDuration.parse(GoDuration.format(duration)));
  }

  static Payload payload(Random random) throws ReflectiveOperationException {
    Class<? extends Record> type = RECORDS.get(random.nextInt(RECORDS.size()));
    RecordComponent[] components = type.getRecordComponents();
    Class<?>[] types = new Class<?>[components.length];
    Object[] values = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      values[i] = value(random, type, components[i]);
    }
    Constructor<? extends Record> constructor = type.getDeclaredConstructor(types);
    return (Payload) constructor.newInstance(values);
  }

  private static Object value(Random random, Class<?> owner, RecordComponent component) {
    String name = component.getName();
    return switch (component.getType().getSimpleName()) {
      case "String" ->
          switch (name) {
            case "method" -> "PUT";
            case "encoding" -> "gzip";
            case "clusterId" -> "c" + text(random);
            default -> text(random);
          };
      case "int" ->
          switch (name) {
            case "status" -> 100 + random.nextInt(500);
            case "maxStreamWindowSize" -> GatewayHello.DEFAULT_WINDOW + random.nextInt(1000);
            default -> random.nextInt(70_000);
          };
      case "long" -> random.nextBoolean() ? random.nextLong(1L << 53) : 0L;
      case "boolean" -> random.nextBoolean() || owner == GatewayHello.class;
      case "Duration" -> Duration.ofSeconds(1 + random.nextInt(3600));
      case "Headers" -> headers(random);
      case "ByteBuffer" -> bytes(random);
      case "List" -> List.of(text(random), text(random));
      case "Map" ->
          switch (name) {
            case "labels" -> strings(random, 0);
            case "metadata" -> owner == Register.class ? strings(random, 0) : map(random, 2);
            case "extra" -> map(random, 3);
            default -> Map.of("k", text(random));
          };
      case "Optional" -> {
        if (random.nextBoolean()) {
          yield Optional.empty();
        }
        yield switch (name) {
          case "deadline" ->
              Optional.of(Instant.ofEpochSecond(random.nextInt(), random.nextInt(1000)));
          case "timeout" -> Optional.of(Duration.ofMillis(1 + random.nextInt(1_000_000)));
          case "body" -> Optional.of(ByteBuffer.wrap(new byte[1 + random.nextInt(9)]));
          default -> Optional.of(bytes(random));
        };
      }
      default -> throw new AssertionError(component.toString());
    };
  }

  static String text(Random random) {
    int length = random.nextInt(12);
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < length; i++) {
      int c =
          switch (random.nextInt(4)) {
            case 0 -> random.nextInt(32);
            case 1 -> "\"\\/<>&\u2028\u007f".charAt(random.nextInt(8));
            case 2 -> random.nextInt(Character.MAX_CODE_POINT + 1);
            default -> 'a' + random.nextInt(26);
          };
      out.appendCodePoint(c >= 0xD800 && c < 0xE000 ? 'x' : c);
    }
    return out.toString();
  }

  private static ByteBuffer bytes(Random random) {
    byte[] bytes = new byte[random.nextInt(100)];
    random.nextBytes(bytes);
    int from = random.nextInt(bytes.length + 1);
    ByteBuffer slice = ByteBuffer.wrap(bytes, from, bytes.length - from);
    return random.nextBoolean() ? slice : slice.slice().asReadOnlyBuffer();
  }

  private static Headers headers(Random random) {
    Headers.Builder headers = Headers.builder();
    for (int i = random.nextInt(5); i > 0; i--) {
      headers.add(random.nextBoolean() ? text(random) : "x-a" + random.nextInt(3), text(random));
    }
    return headers.build();
  }

  private static Map<String, String> strings(Random random, int least) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = least + random.nextInt(3); i > 0; i--) {
      map.put("k" + text(random), text(random));
    }
    return map;
  }

  private static Map<String, Object> map(Random random, int depth) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      map.put("x-" + text(random), any(random, depth));
    }
    return map;
  }

  private static Object any(Random random, int depth) {
    return switch (random.nextInt(depth > 0 ? 8 : 6)) {
      case 0 -> random.nextInt();
      case 1 -> random.nextLong(Long.MAX_VALUE - (1L << 40)) + (1L << 40);
      case 2 -> random.nextDouble();
      case 3 -> random.nextBoolean();
      case 4 -> null;
      case 5 -> text(random);
      case 6 -> map(random, depth - 1);
      default -> {
        List<Object> list = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
          list.add(any(random, depth - 1));
        }
        yield list;
      }
    };
  }

  static byte[] wire(Random random) throws ReflectiveOperationException {
    ByteBuffer message = Envelopes.write(text(random), payload(random));
    byte[] bytes = new byte[message.remaining()];
    message.get(bytes);
    assertEquals(new String(bytes, UTF_8).getBytes(UTF_8).length, bytes.length);
    return bytes;
  }
}
