package io.pipeops.agent.http;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Settings of the local HTTP server. */
@ObjectClassDefinition(
    name = "Local HTTP server",
    description = "Probes, metrics and status pages on a port of the pod")
public @interface HttpConfig {
  @AttributeDefinition(
      min = "0",
      max = "65535",
      description = "Port of the local HTTP server; 0: any free one")
  int port() default 8080;

  @AttributeDefinition(description = "Address that the local HTTP server listens on")
  String host() default "0.0.0.0";

  @AttributeDefinition(
      description =
          "Whether /ready always answers 200, as the existing agent does, instead of telling the"
              + " truth")
  boolean ready_compatible() default false;
}
