package io.pipeops.agent.api.kubernetes;

import java.net.URI;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.osgi.annotation.versioning.ProviderType;

/** How the cluster's API server is reached. The service is there as soon as the place is known. */
@ProviderType
public interface ApiServer {
  /** Scheme, host, port, and a base path if the kubeconfig has one. */
  URI base();

  /** Trusts the cluster's CA and says nothing of the agent's own identity. */
  SSLContext anonymous();

  /**
   * Trusts the cluster's CA and presents the agent's client certificate, where the kubeconfig has
   * one.
   */
  SSLContext identified();

  /** The agent's own bearer token, read again whenever the file was rotated. A secret. */
  Optional<String> token();

  /** The namespace that the agent runs in. */
  String namespace();

  /** The cluster's DNS domain, such as {@code cluster.local}. */
  String clusterDomain();

  /** PEM text of the cluster's CA; empty if the system's roots are used. */
  String caPem();
}
