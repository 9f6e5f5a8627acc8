package io.pipeops.hub.rest;

/**
 * A refusal as RFC 9457 describes it: what happened, why, and what to do. It is an exception
 * without a stack trace; nothing in it may be a secret.
 */
final class Problem extends Exception {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String kind;
  private final String title;
  private final String action;

  /**
   * @param kind a short name of the kind of problem, which becomes its type
   * @param title what happened; the same for all of this kind
   * @param detail why, this time
   * @param action what to do
   */
  Problem(int status, String kind, String title, String detail, String action) {
    super(detail, null, false, false);
    this.status = status;
    this.kind = kind;
    this.title = title;
    this.action = action;
  }

  int status() {
    return status;
  }

  Answer answer() {
    return Answer.json(
        status,
        json -> {
          json.writeStartObject();
          json.writeStringField("type", "urn:pipeops:hub:" + kind);
          json.writeStringField("title", title);
          json.writeNumberField("status", status);
          json.writeStringField("detail", getMessage());
          json.writeStringField("action", action);
          json.writeEndObject();
        },
        "application/problem+json");
  }

  static Problem badRequest(String detail, String action) {
    return new Problem(400, "bad-request", "The request is not understood", detail, action);
  }

  static Problem noCluster(String id) {
    return new Problem(
        404,
        "no-such-cluster",
        "There is no such cluster",
        "No cluster has the id " + id,
        "List the clusters with GET /api/v1/clusters");
  }

  static Problem noToken(String id, String list) {
    return new Problem(
        404,
        "no-such-token",
        "There is no such token",
        "No token here has the id " + id,
        "List the tokens with GET " + list);
  }

  static Problem nothingHere() {
    return new Problem(
        404,
        "not-found",
        "There is nothing here",
        "The hub serves no such path",
        "GET /openapi.json describes what it serves");
  }

  static Problem unauthorized(String detail) {
    return new Problem(
        401,
        "unauthorized",
        "An administrator's token is required",
        detail,
        "Send the header 'Authorization: Bearer pad_…'; the first token is in admin.token in the"
            + " hub's state_dir");
  }

  static Problem unavailable(String detail) {
    return new Problem(
        503,
        "store-unavailable",
        "The hub's database cannot be used now",
        detail,
        "Check the database; the hub uses it again as soon as it works, without a restart");
  }
}
