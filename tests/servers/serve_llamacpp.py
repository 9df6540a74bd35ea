"""Serve a GGUF with llama.cpp: python serve_llamacpp.py FILE PORT"""

import signal
import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.model_alias = {"nano"}
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.n_ctx = 4 * 4096
parameters.n_parallel = 4
# Several threads wait for each other awake, at each of many small steps: on a busy machine that takes ten times as long.
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
parameters.use_jinja = True
parameters.endpoint_metrics = True
server = xllamacpp.Server(parameters)
signal.pause()
