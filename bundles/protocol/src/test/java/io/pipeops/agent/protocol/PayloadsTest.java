package io.pipeops.agent.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages as the protocol describes them. */
class PayloadsTest {
  private static JsonText json(String text) {
    return JsonText.of(text);
  }

  private static String text(ByteBuffer bytes) {
    return UTF_8.decode(bytes.duplicate()).toString();
  }

  private static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }

  /** What the payload becomes on the wire, parsed back to a map. */
  private static Map<String, Object> written(Payload payload) throws ProtocolException {
    Message message = EnvelopesTest.parse(Envelopes.write("r", payload));
    return Json.object(message.payload(), "test");
  }

  @Test
  void registerKeepsWhatItDoesNotKnowAndFillsInConstants() throws Exception {
    Register register =
        Register.of(
            Map.of(
                "agent_id", "agent-1",
                "name", "edge",
                "labels", Map.of("a", "b"),
                "metadata", Map.of("agent_mode", "vm-agent", "nodes", 3),
                "server_specs", Map.of("cpu_cores", 4, "os", "Debian"),
                "k8s_service_token", "s3cret",
                "resume", Map.of("window", 5)));
    Map<String, Object> fields = written(register);
    assertEquals("agent-1", fields.get("agent_id"));
    assertEquals("", fields.get("region"));
    assertEquals(
        Map.of("kubernetes_api", 6443, "kubelet", 10250, "agent_http", 8080),
        fields.get("tunnel_port_config"));
    assertEquals(6, ((Map<?, ?>) fields.get("features")).size());
    assertEquals(Map.of("agent_mode", "vm-agent", "nodes", "3"), fields.get("metadata"));
    assertEquals(Map.of("cpu_cores", 4, "os", "Debian"), fields.get("server_specs"));
    assertEquals(Map.of("window", 5), fields.get("resume"));
    assertFalse(fields.containsKey("cluster_id"));
    assertEquals("s3cret", fields.get("k8s_service_token"));
    assertFalse(register.toString().contains("s3cret"));
  }

  @Test
  void registerSuccessNeedsAClusterId() throws Exception {
    RegisterSuccess success =
        RegisterSuccess.parse(
            json(
                "{\"cluster_id\":\"7c1f\",\"name\":\"edge-lab\",\"status\":\"registered\","
                    + "\"workspace_id\":42,\"gateway_ws_url\":\"wss://gw/ws\",\"token\":\"s3cret\","
                    + "\"registered_at\":\"x\"}"));
    assertEquals("7c1f", success.gatewayClusterUuid());
    assertEquals(42, success.workspaceId());
    assertEquals("wss://gw/ws", success.gatewayWsUrl());
    assertEquals(Map.of("registered_at", "x"), success.extra());
    assertFalse(success.toString().contains("s3cret"));
    assertEquals(
        success,
        RegisterSuccess.parse(EnvelopesTest.parse(Envelopes.write("r", success)).payload()));
    for (String bad : List.of("{}", "{\"cluster_id\":\"\"}", "{\"cluster_id\":7}", "[]")) {
      assertThrows(ProtocolException.class, () -> RegisterSuccess.parse(json(bad)));
    }
    assertThrows(ProtocolException.class, () -> RegisterSuccess.parse(JsonText.NONE));
  }

  @Test
  void heartbeatCarriesFactsButDoesNotPrintThem() throws Exception {
    Heartbeat heartbeat =
        Heartbeat.of(
            Map.of(
                "cluster_id", "c",
                "agent_id", "a",
                "status", "healthy",
                "tunnel_status", "connected",
                "metadata", Map.of("k8s_nodes", 3, "is_private", true, "cpu_usage", "0%"),
                "prometheus_password", "s3cret"));
    Map<String, Object> fields = written(heartbeat);
    assertEquals(
        Map.of("k8s_nodes", 3, "is_private", true, "cpu_usage", "0%"), fields.get("metadata"));
    assertEquals("s3cret", fields.get("prometheus_password"));
    assertFalse(heartbeat.toString().contains("s3cret"));
  }

  @Test
  void gatewayHelloHasDefaultsAndBounds() throws Exception {
    GatewayHello hello =
        GatewayHello.parse(
            json(
                "{\"use_yamux\":true,\"yamux_config\":{\"max_stream_window_size\":524288,"
                    + "\"keep_alive_interval_seconds\":20}}"));
    assertTrue(hello.useYamux());
    assertEquals(524288, hello.maxStreamWindowSize());
    assertEquals(Duration.ofSeconds(20), hello.keepAliveInterval());
    assertEquals(Duration.ofSeconds(30), hello.connectionTimeout());

    GatewayHello odd =
        GatewayHello.parse(
            json(
                "{\"use_yamux\":\"true\",\"yamux_config\":{\"max_stream_window_size\":-1,"
                    + "\"keep_alive_interval\":\"1m30s\",\"connection_timeout_seconds\":1e300}}"));
    assertFalse(odd.useYamux());
    assertEquals(GatewayHello.DEFAULT_WINDOW, odd.maxStreamWindowSize());
    assertEquals(Duration.ofSeconds(90), odd.keepAliveInterval());
    assertEquals(Duration.ofHours(1), odd.connectionTimeout());
    assertFalse(GatewayHello.parse(JsonText.NONE).useYamux());
  }

  @Test
  void fallbackTellsWhatIsSupported() throws Exception {
    Map<String, Object> fields = written(ProtocolFallback.of("new_thing", "r\r\n1"));
    assertEquals("pipeops-k8-agent", fields.get("agent_version"));
    assertEquals("new_thing", fields.get("unknown_type"));
    assertEquals("r1", fields.get("original_request_id"));
    assertEquals("legacy_proxy", fields.get("fallback_mode"));
    assertEquals("1.0", fields.get("protocol_version"));
    assertTrue(((List<?>) fields.get("supported_types")).contains("udp_tunnel_data"));
    assertEquals(0, Instant.parse((String) fields.get("timestamp")).getNano());
  }

  @Test
  void proxyRequestOfTheProtocol() throws Exception {
    ProxyRequest request =
        ProxyRequest.parse(
            json(
                "{\"method\":\"get\",\"path\":\"/api/v1/namespaces/demo/pods\",\"query\":\"limit=5\","
                    + "\"headers\":{\"accept\":\"a/b\",\"Authorization\":[\"Bearer s3cret\",5,null,\"x\"],"
                    + "\"Odd\":{\"a\":1},\"None\":[]},"
                    + "\"timeout\":30000,\"supports_response_streaming\":true,\"unknown\":[1]}"));
    assertEquals("GET", request.method());
    assertEquals(List.of("a/b"), request.headers().values("ACCEPT"));
    assertEquals(List.of("Bearer s3cret", "x"), request.headers().values("authorization"));
    assertFalse(request.headers().has("odd"));
    assertEquals(Duration.ofSeconds(30), request.timeout().orElseThrow());
    assertTrue(request.supportsResponseStreaming());
    assertFalse(request.streaming() || request.isWebSocketRequest() || request.routed());
    assertFalse(request.partlyRouted());
    assertTrue(request.body().isEmpty());
    assertFalse(request.toString().contains("s3cret"));
    assertThrows(ProtocolException.class, () -> ProxyRequest.parse(JsonText.NONE));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      nullValues = "-",
      value = {
        "\"aGk=\",\"body_encoding\":\"base64\" | hi",
        "\"aGk=\",\"body_encoding\":\"BASE64\" | hi",
        "\"aGk\\u003d\",\"body_encoding\":\"base64\" | hi",
        "\"a\\nGk=\",\"body_encoding\":\"base64\" | hi",
        "\"aGk=\" | aGk=",
        "\"h\\u00e9\\n\",\"body_encoding\":\"utf8\" | `h\u00e9\n`",
        "{ \"b\":1, \"a\":[2]},\"body_encoding\":\"base64\" | { \"b\":1, \"a\":[2]}",
        "[1,\"x\"] | [1,\"x\"]",
        "\"\" | -",
        "null | -",
        "5 | -",
        "true | -",
        "\"aGk=\",\"body\":null | -",
      })
  void inlineBody(String body, String expected) throws Exception {
    for (String payload :
        List.of("{\"body\":" + body + "}", "{\"path\":\"/\",\"body\":" + body + ",\"x\":{}}")) {
      ProxyRequest request = ProxyRequest.parse(json(payload));
      assertEquals(expected, request.body().map(PayloadsTest::text).orElse(null));
    }
  }

  @Test
  void theEncodingMayStandBeforeTheBody() throws Exception {
    ProxyRequest request =
        ProxyRequest.parse(json("{\"body_encoding\":\"base64\",\"body\":\"aGk=\"}"));
    assertEquals("hi", text(request.body().orElseThrow()));
  }

  @Test
  void badBase64NamesTheRequest() {
    ProtocolException e =
        assertThrows(
            ProtocolException.class,
            () ->
                ProxyRequest.parse(
                    json("{\"body\":\"a*b\",\"body_encoding\":\"base64\"}"), "r\n7"));
    assertEquals("proxy_request r?7: body is not valid base64", e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"is_websocket\":true",
        "\"isWebSocket\":true",
        "\"is_websocket\":true,\"isWebSocket\":false",
        "\"protocol\":\"graphql-ws\"",
        "\"headers\":{\"upgrade\":\" WebSocket \"}",
        "\"headers\":{\"sec-websocket-key\":[\"k\"]}",
        "\"headers\":{\"Sec-Websocket-Version\":[\"13\"]}",
        "\"headers\":{\"Sec-WebSocket-Protocol\":\"a\"}",
      })
  void webSocketRequests(String fields) throws Exception {
    assertTrue(ProxyRequest.parse(json("{" + fields + "}")).isWebSocketRequest());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"is_websocket\":\"true\"",
        "\"protocol\":\"  \"",
        "\"headers\":{\"Connection\":\"Upgrade\",\"Upgrade\":\"h2c\"}",
        "\"headers\":{\"Sec-WebSocket-Key\":[\" \"]}",
      })
  void notWebSocketRequests(String fields) throws Exception {
    assertFalse(ProxyRequest.parse(json("{" + fields + "}")).isWebSocketRequest());
  }

  @Test
  void routeContext() throws Exception {
    String all = "\"namespace\":\"n\",\"service_name\":\"s\",\"service_port\":80";
    assertTrue(ProxyRequest.parse(json("{" + all + "}")).routed());
    for (String part :
        List.of(
            "\"namespace\":\"n\"",
            "\"service_name\":\"s\",\"service_port\":80",
            "\"namespace\":\"n\",\"service_name\":\"s\",\"service_port\":0",
            "\"namespace\":\"n\",\"service_name\":\"s\",\"service_port\":\"80\"",
            "\"namespace\":\"n\",\"service_name\":\"s\",\"service_port\":99999999999")) {
      ProxyRequest request = ProxyRequest.parse(json("{" + part + "}"));
      assertTrue(request.partlyRouted() && !request.routed(), part);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "30000 | PT30S",
        "1.5e3 | PT1.5S",
        "0.5 | PT0.0005S",
        "\"45s\" | PT45S",
        "\"1h2m3.5s\" | PT1H2M3.5S",
        "1e400 | PT8760H",
        "0 | -",
        "-5 | -",
        "\"-5s\" | -",
        "\"soon\" | -",
        "true | -",
        "null | -",
      })
  void timeouts(String value, Duration expected) throws Exception {
    ProxyRequest request = ProxyRequest.parse(json("{\"timeout\":" + value + "}"));
    assertEquals(expected, request.timeout().orElse(null));
  }

  @Test
  void deadlines() throws Exception {
    assertEquals(
        Instant.parse("2026-03-04T09:15:30.123456789Z"),
        ProxyRequest.parse(json("{\"deadline\":\"2026-03-04T10:15:30.123456789+01:00\"}"))
            .deadline()
            .orElseThrow());
    for (String bad : List.of("\"\"", "\"tomorrow\"", "5", "\"2026-13-01T00:00:00Z\"")) {
      assertTrue(ProxyRequest.parse(json("{\"deadline\":" + bad + "}")).deadline().isEmpty());
    }
  }

  @Test
  void bothSpellingsAndEarlyBytes() throws Exception {
    assertTrue(ProxyRequest.parse(json("{\"streaming\":true}")).streaming());
    assertTrue(ProxyRequest.parse(json("{\"use_streaming\":true}")).streaming());
    assertTrue(ProxyRequest.parse(json("{\"useZeroCopy\":true}")).useZeroCopy());
    assertEquals(
        "hi", text(ProxyRequest.parse(json("{\"headData\":\"aGk=\"}")).headData().orElseThrow()));
    assertEquals(
        "h*", text(ProxyRequest.parse(json("{\"head_data\":\"h*\"}")).headData().orElseThrow()));
    assertEquals(
        "hi", text(ProxyRequest.parse(json("{\"head_data\":[104,105]}")).headData().orElseThrow()));
  }

  @Test
  void requestChunksUnderBothNames() throws Exception {
    assertEquals("hello ", text(ProxyRequestChunk.parse(json("{\"data\":\"aGVsbG8g\"}")).data()));
    assertEquals("world", text(ProxyRequestChunk.parse(json("{\"chunk\":\"d29ybGQ=\"}")).data()));
    assertEquals(
        "hello ",
        text(
            ProxyRequestChunk.parse(json("{\"chunk\":\"d29ybGQ=\",\"data\":\"aGVsbG8g\"}"))
                .data()));
    assertEquals(
        "world", text(ProxyRequestChunk.parse(json("{\"chunk\":\"d29ybGQ=\",\"data\":5}")).data()));
    for (String bad :
        List.of("{}", "{\"data\":5}", "{\"data\":\"%%\"}", "{\"data\":\"aGk\u00e9\"}")) {
      assertThrows(ProtocolException.class, () -> ProxyRequestChunk.parse(json(bad)));
    }
  }

  @Test
  void bufferedResponses() throws Exception {
    ProxyResponse response =
        ProxyResponse.parse(
            json(
                "{\"status\":200,\"headers\":{\"Content-Type\":[\"application/json\"]},"
                    + "\"body\":\"eyJuIjoxfQ==\",\"encoding\":\"base64\"}"));
    assertEquals("{\"n\":1}", text(response.plainBody(7)));
    Map<String, Object> empty = written(new ProxyResponse(204, Headers.EMPTY));
    assertEquals(204, empty.get("status"));
    assertTrue(empty.containsKey("headers") && empty.get("headers") == null);
    assertFalse(empty.containsKey("body") || empty.containsKey("encoding"));
    assertThrows(ProtocolException.class, () -> ProxyResponse.parse(json("{\"headers\":null}")));
  }

  @Test
  void compressesWhatIsWorthIt() throws Exception {
    Headers json = Headers.of("content-type", "application/json");
    ByteBuffer large = ByteBuffer.wrap("x".repeat(100_000).getBytes(UTF_8));
    ProxyResponse packed = ProxyResponse.of(200, json, large);
    assertEquals(ProxyResponse.GZIP, packed.encoding());
    assertTrue(packed.body().remaining() < 1000);
    ProxyResponse back =
        ProxyResponse.parse(EnvelopesTest.parse(Envelopes.write("r", packed)).payload());
    assertEquals(large, back.plainBody(100_000));
    assertThrows(ProtocolException.class, () -> back.plainBody(99_999));

    byte[] noise = new byte[5000];
    new java.util.Random(3).nextBytes(noise);
    assertEquals(
        ProxyResponse.BASE64, ProxyResponse.of(200, json, ByteBuffer.wrap(noise)).encoding());
    assertThrows(
        ProtocolException.class,
        () -> new ProxyResponse(200, json, ByteBuffer.wrap(noise), "gzip").plainBody(1 << 20));
    assertThrows(
        ProtocolException.class,
        () -> new ProxyResponse(200, json, ByteBuffer.wrap(noise), "br").plainBody(1 << 20));
  }

  @ParameterizedTest
  @CsvSource({
    "text/plain,,1024,true",
    "text/plain,,1023,false",
    "application/json; charset=utf-8,,5000,true",
    "image/svg+xml,,5000,false",
    "application/gzip,,5000,false",
    "application/octet-stream,,5000,false",
    "TEXT/PLAIN,,5000,false",
    "text/html,gzip,5000,false",
    ",,5000,false",
  })
  void compressionRule(String type, String encoding, long length, boolean wanted) {
    assertEquals(wanted, TunnelCompression.wanted(type, encoding, length));
  }

  @Test
  void streamedResponses() throws Exception {
    Map<String, Object> chunk =
        written(new ProxyResponseChunk(ByteBuffer.wrap("part-one".getBytes(UTF_8))));
    assertEquals(Map.of("data", "cGFydC1vbmU=", "encoding", "base64", "size", 8), chunk);
    assertEquals(Map.of(), written(new ProxyResponseEnd()));
    assertEquals(Map.of("error", "gone"), written(new ProxyResponseAbort("gone")));
    assertEquals(
        Map.of("status", 200, "headers", Map.of("Content-Type", List.of("text/plain"))),
        written(new ProxyResponseHeader(200, Headers.of("content-type", "text/plain"))));
  }

  @Test
  void proxyErrors() throws Exception {
    assertEquals(Map.of("error", "e"), written(new ProxyError("e")));
    assertEquals(Map.of("error", "e", "request_id", "s-1"), written(new ProxyError("e", "s-1")));
  }

  @Test
  void binaryRequestBody() throws Exception {
    ByteBuffer wire =
        new BinaryBody("r-7", ByteBuffer.wrap(new byte[] {(byte) 0xDE, (byte) 0xAD})).write();
    assertEquals("0003722d37dead", hex(wire));
    assertEquals("r-7", BinaryBody.parse(wire).requestId());
    assertEquals("dead", hex(BinaryBody.parse(wire).body()));
    for (String bad : List.of("", "00", "0001", "0003722d", "0001ff")) {
      assertThrows(
          ProtocolException.class,
          () -> BinaryBody.parse(ByteBuffer.wrap(HexFormat.of().parseHex(bad))));
    }
  }

  @Test
  void binaryResponse() throws Exception {
    String wire =
        "0003722d37000000c80000001f7b22436f6e74656e742d54797065223a5b22"
            + "746578742f706c61696e225d7d4f4b";
    BinaryResponse response =
        new BinaryResponse(
            "r-7",
            200,
            Headers.of("content-type", "text/plain"),
            ByteBuffer.wrap("OK".getBytes(UTF_8)));
    assertEquals(wire, hex(response.write()));
    assertEquals(response, BinaryResponse.parse(ByteBuffer.wrap(HexFormat.of().parseHex(wire))));
    BinaryResponse bare = new BinaryResponse("", 204, Headers.EMPTY, ByteBuffer.allocate(0));
    assertEquals("0000000000cc000000046e756c6c", hex(bare.write()));
    for (String bad :
        List.of(
            "",
            "0000",
            "0000000000c8",
            "0000000000c8ffffffff",
            "0000000000c8000000025b5d",
            "0000000000c800000000",
            "000000000000000000046e756c6c",
            "0000000000c8000000057b7d7b7d20")) {
      assertThrows(
          ProtocolException.class,
          () -> BinaryResponse.parse(ByteBuffer.wrap(HexFormat.of().parseHex(bad))),
          bad);
    }
  }

  @Test
  void kubernetesWebSocket() throws Exception {
    WebSocketStart start =
        WebSocketStart.parse(
            json(
                "{\"stream_id\":\"s-1\",\"method\":\"GET\",\"path\":\"/api/v1/x\",\"query\":\"a=b\","
                    + "\"headers\":{\"Authorization\":[\"Bearer s3cret\"]},\"protocol\":\"v4.channel.k8s.io\"}"));
    assertEquals("s-1", start.streamId());
    assertEquals("Bearer s3cret", start.headers().first("authorization"));
    assertFalse(start.toString().contains("s3cret"));
    TunnelFrame frame =
        WebSocketData.parse(json("{\"stream_id\":\"s-1\",\"data\":\"AWxzCg==\"}")).frame();
    assertEquals(TunnelFrame.TEXT, frame.opcode());
    assertEquals("ls\n", text(frame.payload()));
    assertEquals(
        Map.of("stream_id", "s-1", "data", "AWxzCg=="),
        written(WebSocketData.kubernetes("s-1", frame)));
    assertEquals(Map.of("stream_id", "s-1"), written(WebSocketClose.kubernetes("s-1")));
  }

  @Test
  void applicationWebSocket() throws Exception {
    TunnelFrame hi = new TunnelFrame(TunnelFrame.TEXT, ByteBuffer.wrap("hi".getBytes(UTF_8)));
    assertEquals(
        Map.of("request_id", "w-3", "stream_id", "w-3", "data", "AWhp", "message_type", 1),
        written(WebSocketData.application("w-3", hi)));
    TunnelFrame empty = new TunnelFrame(TunnelFrame.TEXT, ByteBuffer.allocate(0));
    assertEquals("AQ==", written(WebSocketData.kubernetes("w", empty)).get("data"));
    assertEquals(
        Map.of("request_id", "w-3", "reason", "channel_full"),
        written(Backpressure.channelFull("w-3")));
    assertEquals("a", new WebSocketClose("b", "a").target("c"));
    assertEquals("b", new WebSocketClose("b", "").target("c"));
    assertEquals("c", new WebSocketClose("", "").target("c"));
  }

  @ParameterizedTest
  @CsvSource({
    "0168,1,1,68", // framed, type repeated
    "0168,0,1,68", // framed, no type
    "6869,1,1,6869", // bare content
    "0a69,1,1,0a69", // bare content that begins like a pong
    "0a,2,2,0a",
    "02,2,2,''",
    "'',2,2,''", // bare and empty
    "0168,7,1,68", // a type that is none
  })
  void framedOrBare(String data, int type, int opcode, String content) throws Exception {
    String base64 = Base64.getEncoder().encodeToString(HexFormat.of().parseHex(data));
    TunnelFrame frame =
        WebSocketData.parse(
                json(
                    "{\"request_id\":\"w\",\"data\":\""
                        + base64
                        + "\",\"message_type\":"
                        + type
                        + "}"))
            .frame();
    assertEquals(opcode, frame.opcode());
    assertEquals(content, hex(frame.payload()));
  }

  @Test
  void noFrame() throws Exception {
    for (String data : List.of("", "AA==", "aGk=")) {
      WebSocketData message = WebSocketData.parse(json("{\"data\":\"" + data + "\"}"));
      assertThrows(ProtocolException.class, message::frame);
    }
    assertThrows(ProtocolException.class, () -> WebSocketData.parse(json("{}")));
  }

  @Test
  void tunnels() throws Exception {
    TcpTunnelStart start =
        TcpTunnelStart.parse(
            json(
                "{\"tunnel_id\":\"t\",\"gateway_name\":\"main\",\"gateway_namespace\":\"edge\","
                    + "\"gateway_port\":6379,\"service_name\":\"redis\",\"service_namespace\":\"cache\","
                    + "\"service_port\":6379,\"client_addr\":\"198.51.100.4:50122\"}"));
    assertEquals(
        new TcpTunnelStart("t", "main", "edge", 6379, "redis", "cache", 6379, "198.51.100.4:50122"),
        start);
    assertEquals(
        Map.of("data", "K1BPTkcNCg==", "direction", "agent_to_gateway"),
        written(
            new TcpTunnelData(
                ByteBuffer.wrap("+PONG\r\n".getBytes(UTF_8)), TcpTunnelData.AGENT_TO_GATEWAY)));
    assertEquals(
        Map.of("reason", "connection_failed", "error", "refused"),
        written(new TcpTunnelClose(TcpTunnelClose.CONNECTION_FAILED, "refused")));
    TcpTunnelClose close = new TcpTunnelClose(TcpTunnelClose.SERVICE_CLOSED, 0, 5, 17, "");
    assertEquals(
        Map.of("reason", "service_closed", "bytes_sent", 0, "bytes_received", 5, "duration_ms", 17),
        written(close));
    assertEquals(-1, TcpTunnelClose.parse(JsonText.NONE).bytesSent());
    UdpTunnelData in =
        UdpTunnelData.parse(
            json(
                "{\"tunnel_id\":\"u\",\"data\":\"EjQBAAABAAA=\",\"client_addr\":\"198.51.100.4\","
                    + "\"client_port\":40001,\"gateway_port\":53}"));
    assertEquals("1234010000010000", hex(in.data()));
    assertEquals(
        Map.of(
            "tunnel_id", "u",
            "data", "EjQBAAABAAA=",
            "client_addr", "198.51.100.4",
            "client_port", 40001,
            "direction", "agent_to_gateway"),
        written(UdpTunnelData.answer("u", in.data(), in.clientAddr(), in.clientPort())));
  }

  @ParameterizedTest
  @CsvSource({
    "content-type,Content-Type",
    "ETAG,Etag",
    "sec-websocket-accept,Sec-Websocket-Accept",
    "x-request-id,X-Request-Id",
    "Content-Type,Content-Type",
    "x--a,X--A",
    "a b,a b",
    "h\u00e9,h\u00e9",
  })
  void canonicalNames(String name, String canonical) {
    assertEquals(canonical, Headers.canonical(name));
  }

  @Test
  void headersKeepOrderAndValues() {
    Headers headers =
        Headers.builder().add("b", "1").add("Set-Cookie", "x").add("SET-COOKIE", "y").build();
    assertEquals(List.of("B", "Set-Cookie"), List.copyOf(headers.all().keySet()));
    assertEquals(List.of("x", "y"), headers.values("set-cookie"));
    assertEquals(List.of("z"), headers.with("set-cookie", "z").values("Set-Cookie"));
    assertFalse(headers.without("B").has("b"));
    assertEquals("d", headers.first("none", "d"));
    assertFalse(headers.toString().contains("x"));
  }

  @ParameterizedTest
  @CsvSource({
    "1h2m3.5s,PT1H2M3.5S,1h2m3.5s",
    "500ms,PT0.5S,500ms",
    "1.5h,PT1H30M,1h30m0s",
    "90s,PT1M30S,1m30s",
    "0,PT0S,0s",
    "-0,PT0S,0s",
    "+5s,PT5S,5s",
    "-1.5s,PT-1.5S,-1.5s",
    ".5s,PT0.5S,500ms",
    "5.s,PT5S,5s",
    "1us,PT0.000001S,1\u00b5s",
    "1\u00b5s,PT0.000001S,1\u00b5s",
    "1\u03bcs,PT0.000001S,1\u00b5s",
    "3ns,PT0.000000003S,3ns",
    "1ns1h,PT1H0.000000001S,1h0m0.000000001s",
    "2562047h47m16.854775807s,PT2562047H47M16.854775807S,2562047h47m16.854775807s",
  })
  void goDurations(String text, Duration value, String printed) throws Exception {
    assertEquals(value, GoDuration.parse(text));
    assertEquals(printed, GoDuration.format(value));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "-",
        "5",
        "s",
        ".s",
        "1x",
        "1h 2m",
        " 1s",
        "1e3s",
        "--1s",
        "1.2.3s",
        "3000000h",
        "1s-1s"
      })
  void notGoDurations(String text) {
    assertTrue(GoDuration.tryParse(text).isEmpty());
    assertThrows(ProtocolException.class, () -> GoDuration.parse(text));
  }

  @Test
  void aLongDurationTextCostsNothing() {
    assertTrue(GoDuration.tryParse("9".repeat(1_000_000) + "s").isEmpty());
  }
}
