package io.pipeops.agent.http;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;

/** A page that answers GET with a JSON object and everything else with 405. */
abstract class JsonServlet extends HttpServlet {
  private static final long serialVersionUID = 1L;

  /**
   * The answer.
   *
   * @param status HTTP status
   * @param body the JSON object
   */
  record Answer(int status, Map<String, Object> body) {}

  /** Makes the answer; runs on the request's thread. */
  abstract Answer answer();

  /** The answer to a request whose parameters count. */
  Answer answer(HttpServletRequest request) {
    return answer();
  }

  @Override
  protected final void service(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (request.getMethod().equals("GET")) {
      write(response, answer(request));
    } else {
      response.setHeader("Allow", "GET");
      write(response, new Answer(405, Map.of("error", "method not allowed")));
    }
  }

  static void write(HttpServletResponse response, Answer answer) throws IOException {
    byte[] json = Json.write(answer.body());
    response.setStatus(answer.status());
    response.setContentType("application/json; charset=utf-8");
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setContentLength(json.length);
    response.getOutputStream().write(json);
  }
}
