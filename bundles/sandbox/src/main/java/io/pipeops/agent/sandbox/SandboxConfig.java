package io.pipeops.agent.sandbox;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

@ObjectClassDefinition(
    name = "Embedded Kubernetes API",
    description = "A Kubernetes API in memory, for trying the agent without a cluster")
@interface SandboxConfig {
  @AttributeDefinition(
      description = "Port on the loopback address; 0 takes a free one",
      min = "0",
      max = "65535")
  int port() default 0;

  @AttributeDefinition(
      description =
          "File to write the administrator's kubeconfig to; empty means embedded.kubeconfig in the"
              + " folder of this run")
  String kubeconfig_file() default "";

  @AttributeDefinition(
      description = "Whether namespace demo with a web application is there from the beginning")
  boolean demo() default true;
}
