package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** A request that failed, in the form in which the API says so: a {@code Status} object. */
final class ApiException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int code;
  private final String reason;
  private final transient ObjectNode details;

  private ApiException(int code, String reason, String message, ObjectNode details) {
    super(message, null, false, false);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  int code() {
    return code;
  }

  ObjectNode status() {
    ObjectNode status = Json.object();
    status.put("kind", "Status").put("apiVersion", "v1").putObject("metadata");
    status.put("status", "Failure").put("message", getMessage()).put("reason", reason);
    if (details != null && !details.isEmpty()) {
      status.set("details", details);
    }
    return status.put("code", code);
  }

  /** One field that is not as it should be. */
  record Cause(String reason, String message, String field) {}

  private static ObjectNode details(ResourceType type, String name) {
    ObjectNode details = Json.object();
    if (!name.isEmpty()) {
      details.put("name", name);
    }
    if (!type.group().isEmpty()) {
      details.put("group", type.group());
    }
    return details.put("kind", type.plural());
  }

  static ApiException notFound(ResourceType type, String name) {
    return new ApiException(
        404, "NotFound", "%s \"%s\" not found".formatted(type, name), details(type, name));
  }

  /** A path that leads nowhere. */
  static ApiException noSuchPath() {
    return new ApiException(404, "NotFound", "nothing is served at this path", Json.object());
  }

  static ApiException alreadyExists(ResourceType type, String name) {
    return new ApiException(
        409,
        "AlreadyExists",
        "%s \"%s\" already exists".formatted(type, name),
        details(type, name));
  }

  static ApiException conflict(ResourceType type, String name, String why) {
    return new ApiException(
        409,
        "Conflict",
        "Operation cannot be fulfilled on %s \"%s\": %s".formatted(type, name, why),
        details(type, name));
  }

  /** The object was changed since the caller read it. */
  static ApiException stale(ResourceType type, String name) {
    return conflict(
        type,
        name,
        "its resource version is not the current one, so it was changed meanwhile; read it again"
            + " and repeat the change");
  }

  /** Fields that another manager owns. */
  static ApiException ownedByOthers(String message, List<Cause> causes) {
    ObjectNode details = Json.object();
    addCauses(details, causes);
    return new ApiException(409, "Conflict", message, details);
  }

  static ApiException invalid(ResourceType type, String name, List<Cause> causes) {
    List<String> all = causes.stream().map(c -> c.field() + ": " + c.message()).toList();
    String text = all.size() == 1 ? all.getFirst() : all.toString();
    ObjectNode details = details(type, name);
    details.put("kind", type.kind());
    addCauses(details, causes);
    String kind = type.group().isEmpty() ? type.kind() : type.kind() + "." + type.group();
    return new ApiException(
        422, "Invalid", "%s \"%s\" is invalid: %s".formatted(kind, name, text), details);
  }

  private static void addCauses(ObjectNode details, List<Cause> causes) {
    ArrayNode array = details.putArray("causes");
    for (Cause cause : causes) {
      array
          .addObject()
          .put("reason", cause.reason())
          .put("message", cause.message())
          .put("field", cause.field());
    }
  }

  static ApiException badRequest(String message) {
    return new ApiException(400, "BadRequest", message, Json.object());
  }

  static ApiException forbidden(ResourceType type, String name, String why) {
    return new ApiException(
        403,
        "Forbidden",
        "%s \"%s\" is forbidden: %s".formatted(type, name, why),
        details(type, name));
  }

  static ApiException unauthorized() {
    return new ApiException(401, "Unauthorized", "Unauthorized", Json.object());
  }

  static ApiException methodNotAllowed() {
    return new ApiException(
        405, "MethodNotAllowed", "this method cannot be used on this path", Json.object());
  }

  static ApiException notAcceptable() {
    return new ApiException(
        406, "NotAcceptable", "only application/json can be answered", Json.object());
  }

  static ApiException unsupportedMediaType(String type) {
    return new ApiException(
        415,
        "UnsupportedMediaType",
        "the body has a form that is not understood here: " + type,
        Json.object());
  }

  /** A version or a continue token that the bounded history no longer reaches. */
  static ApiException expired(long version, long oldest) {
    return new ApiException(
        410,
        "Expired",
        "resource version %d is too old, the history begins at %d".formatted(version, oldest),
        Json.object());
  }

  static ApiException tooLarge(int limit) {
    return new ApiException(
        413,
        "RequestEntityTooLarge",
        "the request body is larger than the limit of %d bytes".formatted(limit),
        Json.object());
  }

  static ApiException tooManyRequests(String message) {
    ObjectNode details = Json.object().put("retryAfterSeconds", 1);
    return new ApiException(429, "TooManyRequests", message, details);
  }

  static ApiException unavailable(String message) {
    return new ApiException(503, "ServiceUnavailable", message, Json.object());
  }

  static ApiException full(String message) {
    return new ApiException(507, "InternalError", message, Json.object());
  }

  static ApiException notImplemented(String message) {
    return new ApiException(501, "NotImplemented", message, Json.object());
  }

  static ApiException internal(String message) {
    return new ApiException(500, "InternalError", message, Json.object());
  }
}
