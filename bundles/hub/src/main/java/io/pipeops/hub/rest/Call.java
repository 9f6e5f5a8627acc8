package io.pipeops.hub.rest;

import io.pipeops.hub.agents.Bearer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Fields;

/** One request to a known route: its path's parameters, its query, its body. */
final class Call {
  private final Request request;
  private final Response response;
  private final Map<String, String> path;

  Call(Request request, Response response, Map<String, String> path) {
    this.request = request;
    this.response = response;
    this.path = path;
  }

  /** For an answer that is not complete at once. */
  Response response() {
    return response;
  }

  Request request() {
    return request;
  }

  String path(String name) {
    return path.get(name);
  }

  Optional<String> bearer() {
    return Bearer.of(request);
  }

  /** The query's parameters; each at most once, and none but these. */
  Map<String, String> query(Set<String> known) throws Problem {
    Map<String, String> query = new HashMap<>();
    String raw = request.getHttpURI().getQuery();
    if (raw == null || raw.isEmpty()) {
      return query;
    }
    String form =
        known.isEmpty()
            ? "Leave the query out"
            : "Use only the parameters " + new TreeSet<>(known) + ", each once";
    Fields fields;
    try {
      fields = Request.extractQueryParameters(request, StandardCharsets.UTF_8);
    } catch (RuntimeException e) {
      throw Problem.badRequest("The query is not well formed", form);
    }
    for (Fields.Field field : fields) {
      List<String> values = field.getValues();
      if (!known.contains(field.getName()) || values.size() != 1) {
        throw Problem.badRequest(
            "The query has a parameter that is not known here, or one more than once", form);
      }
      query.put(field.getName(), values.getFirst());
    }
    return query;
  }

  /** The body, if it is JSON and not too large. */
  Body body(Set<String> known) throws Problem, IOException {
    return body(known, Set.of());
  }

  /** As {@link #body(Set)}; some of the fields are whole numbers. */
  Body body(Set<String> known, Set<String> numbers) throws Problem, IOException {
    byte[] bytes;
    try (InputStream in = Content.Source.asInputStream(request)) {
      bytes = in.readNBytes(Body.MAX + 1);
    }
    if (bytes.length > Body.MAX) {
      throw new Problem(
          413,
          "body-too-large",
          "The body is too large",
          "The body is longer than %d bytes".formatted(Body.MAX),
          "Send only the fields that the description names");
    }
    if (bytes.length > 0 && !json(request.getHeaders().get(HttpHeader.CONTENT_TYPE))) {
      throw new Problem(
          415,
          "not-json",
          "The body's media type is not supported",
          "The body is not marked as JSON",
          "Send the header 'Content-Type: application/json'");
    }
    return Body.parse(bytes, known, numbers);
  }

  private static boolean json(String type) {
    if (type == null) {
      return false;
    }
    int parameters = type.indexOf(';');
    String essence = parameters < 0 ? type : type.substring(0, parameters);
    return essence.strip().equalsIgnoreCase("application/json");
  }
}
