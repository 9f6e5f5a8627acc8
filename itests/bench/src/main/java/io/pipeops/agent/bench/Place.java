package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Spine;
import java.io.IOException;
import java.net.URI;
import javax.net.ssl.SSLContext;

/**
 * Where HTTP requests go: straight to the target, or through something.
 *
 * @param tls whom to trust; null for plain HTTP
 * @param prefix goes before each path
 */
record Place(SSLContext tls, URI server, String prefix, String token) {
  /** The Kubernetes API through hub and agent. */
  static Place through(Spine spine) throws Exception {
    var request = spine.api("/").build();
    URI hub = request.uri();
    return new Place(
        hub.getScheme().equals("https") ? Spine.trust(spine.dir.resolve("hub/ca.crt")) : null,
        hub,
        hub.getPath().replaceAll("/+$", ""),
        request.headers().firstValue("Authorization").orElseThrow().substring(7));
  }

  static Place direct(Target target) throws Exception {
    return new Place(target.trust(), target.address(), "", "");
  }

  /** A port of this machine that answers as the target does, and with its certificate. */
  static Place like(Target target, int port) throws Exception {
    URI address = URI.create(target.address().getScheme() + "://127.0.0.1:" + port);
    return new Place(target.trust(), address, "", "");
  }

  Caller open() throws IOException {
    return new Caller(tls, server, token);
  }

  private interface Question {
    void ask(Caller caller) throws IOException;
  }

  /** Asks for the same again and again. */
  Load.Opening getting(String path) {
    return asking(caller -> caller.get(prefix + path));
  }

  /** Takes a large answer whole. */
  Load.Opening downloading() {
    return asking(
        caller -> {
          if (caller.get(prefix + "/api/large") != Large.SIZE) {
            throw new IllegalStateException("The body is not whole");
          }
        });
  }

  Load.Opening uploading() {
    return asking(caller -> caller.post(prefix + "/api/upload", Large.SIZE));
  }

  private Load.Opening asking(Question question) {
    return () -> {
      Caller caller = open();
      return new Load.Call() {
        @Override
        public void ask() throws IOException {
          question.ask(caller);
        }

        @Override
        public void close() throws IOException {
          caller.close();
        }
      };
    };
  }
}
