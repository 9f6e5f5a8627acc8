package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Fields;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/** One request and its answer, for straight blocking code on a thread of its own. */
final class Exchange {
  /** Bodies above this are refused. */
  static final int MAX_BODY = 3 << 20;

  private static final int DRAINED = 16 << 20;

  private final Request request;
  private final Response response;
  private final Callback callback;
  private final ProtobufBody protobuf;
  private final Fields query;
  private final List<String> path;
  private boolean taken;
  private boolean answered;

  Exchange(Request request, Response response, Callback callback, ProtobufBody protobuf) {
    this.protobuf = protobuf;
    this.request = request;
    this.response = response;
    this.callback = callback;
    this.query = Request.extractQueryParameters(request);
    String raw = request.getHttpURI().getPath();
    this.path =
        List.of(raw.split("/", -1)).stream()
            .filter(part -> !part.isEmpty())
            .map(part -> URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8))
            .toList();
  }

  String method() {
    return request.getMethod();
  }

  /** The parts of the path, decoded. */
  List<String> path() {
    return path;
  }

  String query(String name) {
    String value = query.getValue(name);
    return value == null ? "" : value;
  }

  boolean hasQuery(String name) {
    return query.get(name) != null;
  }

  boolean flag(String name) {
    String value = query(name);
    return value.equals("1") || value.equalsIgnoreCase("true");
  }

  /** A number from the query; empty or unreadable means the fallback. */
  long number(String name, long fallback) {
    String value = query(name);
    try {
      return value.isEmpty() ? fallback : Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw ApiException.badRequest("the parameter %s is no number: %s".formatted(name, value));
    }
  }

  String header(HttpHeader name) {
    String value = request.getHeaders().get(name);
    return value == null ? "" : value;
  }

  /** All Accept headers as one. */
  Accept accept() {
    return Accept.parse(String.join(",", request.getHeaders().getValuesList(HttpHeader.ACCEPT)));
  }

  /** The media type of the body without its parameters, in lower case. */
  String contentType() {
    return header(HttpHeader.CONTENT_TYPE)
        .replaceFirst(";.*", "")
        .strip()
        .toLowerCase(java.util.Locale.ROOT);
  }

  /** The body, which may be JSON, YAML or protobuf; a missing node if there is none. */
  JsonNode body() throws IOException {
    byte[] bytes;
    taken = true;
    try (InputStream in = Content.Source.asInputStream(request)) {
      bytes = in.readNBytes(MAX_BODY + 1);
      if (bytes.length > MAX_BODY) {
        // Who is still sending does not listen: take some more, so that the refusal arrives.
        in.skip(DRAINED);
      }
    }
    if (bytes.length > MAX_BODY) {
      throw ApiException.tooLarge(MAX_BODY);
    }
    if (contentType().equals(ProtobufBody.MEDIA_TYPE) && bytes.length > 0) {
      return protobuf.read(bytes);
    }
    if (contentType().contains("cbor")) {
      throw ApiException.unsupportedMediaType(contentType());
    }
    String text = new String(bytes, StandardCharsets.UTF_8).strip();
    if (text.isEmpty()) {
      return com.fasterxml.jackson.databind.node.MissingNode.getInstance();
    }
    boolean json = text.startsWith("{") || text.startsWith("[");
    try {
      return json || !contentType().contains("yaml") ? Json.MAPPER.readTree(text) : yaml(text);
    } catch (JsonProcessingException e) {
      throw ApiException.badRequest("the body is no JSON: " + e.getOriginalMessage());
    }
  }

  private static JsonNode yaml(String text) {
    try {
      LoadSettings settings =
          LoadSettings.builder()
              .setMaxAliasesForCollections(20)
              .setCodePointLimit(MAX_BODY)
              .build();
      return Json.MAPPER.valueToTree(new Load(settings).loadFromString(text));
    } catch (YamlEngineException | IllegalArgumentException e) {
      throw ApiException.badRequest("the body is no YAML: " + e.getMessage());
    }
  }

  /** The body, which must be an object. */
  ObjectNode object() throws IOException {
    if (body() instanceof ObjectNode object) {
      return object;
    }
    throw ApiException.badRequest("the body must be one object");
  }

  void warn(String text) {
    response
        .getHeaders()
        .add("Warning", "299 - \"" + text.replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"");
  }

  void answer(int code, JsonNode json) throws IOException {
    answer(code, "application/json", Json.bytes(json));
  }

  void answer(int code, String type, byte[] bytes) throws IOException {
    answered = true;
    response.setStatus(code);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache, private");
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
    response.write(true, ByteBuffer.wrap(bytes), callback);
  }

  void text(String text) throws IOException {
    answer(200, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
  }

  /** Begins an answer of unknown length; {@link #end} must follow. */
  OutputStream stream(String type) {
    answered = true;
    response.setStatus(200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache, private");
    return Content.Sink.asOutputStream(response);
  }

  void end() {
    callback.succeeded();
  }

  /** Like {@link #fail}, after taking a body that nobody read: the next request comes behind it. */
  void refuse(Throwable failure) {
    if (!taken && !answered) {
      taken = true;
      try (InputStream in = Content.Source.asInputStream(request)) {
        in.skip(DRAINED);
      } catch (IOException e) {
        callback.failed(e);
        return;
      }
    }
    fail(failure);
  }

  /** Answers with the failure, or cuts the connection if an answer has begun already. */
  void fail(Throwable failure) {
    if (answered) {
      callback.failed(failure);
      return;
    }
    ApiException known =
        failure instanceof ApiException api ? api : ApiException.internal(failure.toString());
    try {
      if (known.code() == 401) {
        response.getHeaders().put(HttpHeader.WWW_AUTHENTICATE, "Bearer");
      }
      if (known.code() == 429) {
        response.getHeaders().put(HttpHeader.RETRY_AFTER, "1");
      }
      answer(known.code(), known.status());
    } catch (IOException e) {
      callback.failed(e);
    }
  }
}
