package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.InstantSource;
import java.util.function.Predicate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The embedded API on a real socket, and a client without any knowledge of Kubernetes. */
final class SandboxClient implements AutoCloseable {
  static final String JSON = "application/json";

  final EmbeddedApi api;
  private final HttpClient http;

  SandboxClient(boolean demo) throws IOException, GeneralSecurityException {
    api = EmbeddedApi.start(0, demo, InstantSource.system());
    http = HttpClient.newBuilder().sslContext(trusting(api.caPem())).build();
  }

  static SSLContext trusting(String pem) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setCertificateEntry(
        "ca",
        CertificateFactory.getInstance("X.509")
            .generateCertificate(
                new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII))));
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  record Answer(int code, String body, HttpResponse<?> raw) {
    JsonNode json() throws IOException {
      return Json.MAPPER.readTree(body);
    }

    String reason() throws IOException {
      return Json.text(json(), "reason");
    }
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(api.address() + path))
        .timeout(Duration.ofSeconds(20))
        .header("Authorization", "Bearer " + api.token());
  }

  Answer send(HttpRequest request) throws IOException, InterruptedException {
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    return new Answer(response.statusCode(), response.body(), response);
  }

  Answer get(String path) throws IOException, InterruptedException {
    return send(request(path).build());
  }

  Answer get(String path, String accept) throws IOException, InterruptedException {
    return send(request(path).header("Accept", accept).build());
  }

  Answer call(String method, String path, String type, String body)
      throws IOException, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", type)
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build());
  }

  Answer post(String path, String body) throws IOException, InterruptedException {
    return call("POST", path, JSON, body);
  }

  Answer put(String path, String body) throws IOException, InterruptedException {
    return call("PUT", path, JSON, body);
  }

  Answer delete(String path) throws IOException, InterruptedException {
    return call("DELETE", path, JSON, "");
  }

  /** The lines of an answer as they come. */
  BufferedReader lines(String path) throws IOException, InterruptedException {
    return new BufferedReader(
        new InputStreamReader(
            http.send(request(path).build(), HttpResponse.BodyHandlers.ofInputStream()).body(),
            StandardCharsets.UTF_8));
  }

  /** Asks again, whenever anything changed, until the answer is as wanted; 20 s at most. */
  JsonNode await(String path, Predicate<JsonNode> wanted) throws IOException, InterruptedException {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (true) {
      long version = api.store().version();
      JsonNode json = get(path).json();
      if (wanted.test(json)) {
        return json;
      }
      if (System.nanoTime() > end) {
        throw new AssertionError("not in time: " + json.toPrettyString());
      }
      api.store().changesAfter(version, Duration.ofMillis(200));
    }
  }

  @Override
  public void close() {
    http.shutdownNow();
    api.close();
  }
}
