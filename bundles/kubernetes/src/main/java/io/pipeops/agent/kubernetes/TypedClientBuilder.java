package io.pipeops.agent.kubernetes;

import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import java.net.http.HttpClient;

/** Builds a typed client that uses the agent's TLS and token and nothing from the environment. */
final class TypedClientBuilder {
  private static final int REQUEST_MILLIS = 30_000;
  private static final int CONNECT_MILLIS = 5_000;

  private TypedClientBuilder() {}

  static KubernetesClient build(LocatedApiServer server) {
    Thread current = Thread.currentThread();
    ClassLoader loader = current.getContextClassLoader();
    // The library looks for its parts, and Jackson for its modules, by the context's loader.
    current.setContextClassLoader(KubernetesClientBuilder.class.getClassLoader());
    try {
      Config config =
          new ConfigBuilder(Config.empty())
              .withMasterUrl(server.base().toString())
              .withNamespace(server.namespace())
              .withOauthTokenProvider(() -> server.token().orElse(null))
              .withConnectionTimeout(CONNECT_MILLIS)
              .withRequestTimeout(REQUEST_MILLIS)
              .withUserAgent("pipeops-agent")
              .build();
      return new KubernetesClientBuilder()
          .withConfig(config)
          .withHttpClientFactory(new VirtualThreadClients())
          .withHttpClientBuilderConsumer(
              builder -> builder.sslContext(server.keys(), server.trust()))
          .build();
    } finally {
      current.setContextClassLoader(loader);
    }
  }

  /** The JDK's client with a virtual thread per task instead of a pool that stays. */
  private static final class VirtualThreadClients extends JdkHttpClientFactory {
    @Override
    protected void additionalConfig(HttpClient.Builder builder) {
      builder.executor(task -> Thread.ofVirtual().name("kubernetes-client").start(task));
    }
  }
}
