package io.pipeops.agent.kubernetes;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.AttributeType;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Settings of the cluster access. */
@ObjectClassDefinition(
    name = "Kubernetes",
    description = "How the agent reaches the cluster it serves, and where it keeps its state")
public @interface KubernetesConfig {
  @AttributeDefinition(
      description =
          "Path of a kubeconfig file, or several in order of preference; empty: the files that"
              + " Kubernetes mounts into a pod")
  String kubeconfig() default "";

  @AttributeDefinition(
      description =
          "Namespace that the agent runs in; empty: the mounted one, else the kubeconfig's, else"
              + " pipeops-system")
  String namespace() default "";

  @AttributeDefinition(
      type = AttributeType.PASSWORD,
      description =
          "Token that is reported at registration for calls to the cluster, unless the pod has one"
              + " of its own")
  String service_token() default "";

  @AttributeDefinition(
      description = "CA of the API server, base64 of PEM, that replaces the one found beside it")
  String ca_cert_data() default "";

  @AttributeDefinition(description = "ConfigMap in which the agent remembers who it is")
  String state_configmap_name() default "pipeops-agent-state";

  @AttributeDefinition(description = "Secret in which the agent remembers its credentials")
  String state_secret_name() default "pipeops-agent-secrets";

  @AttributeDefinition(
      description = "Namespace of these two; empty: the one that the agent runs in")
  String state_namespace() default "";

  @AttributeDefinition(
      description =
          "DNS domain of the cluster; empty: found in /etc/resolv.conf, else cluster.local")
  String cluster_domain() default "";
}
