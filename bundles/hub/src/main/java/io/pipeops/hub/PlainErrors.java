package io.pipeops.hub;

import io.pipeops.hub.agents.JsonAnswer;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/** Errors that the server itself answers: short JSON that tells nothing of the inside. */
final class PlainErrors extends ErrorHandler {
  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    int status = response.getStatus();
    JsonAnswer.send(response, callback, status, HttpStatus.getMessage(status));
    return true;
  }
}
