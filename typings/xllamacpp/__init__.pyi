"""The part of xllamacpp that personae uses."""

from typing import Any

class CommonParamsModel:
    path: str

class CpuParams:
    n_threads: int

class CommonParams:
    model: CommonParamsModel
    cpuparams: CpuParams
    cpuparams_batch: CpuParams
    n_ctx: int
    n_parallel: int
    n_gpu_layers: int
    n_ctx_checkpoints: int
    cache_ram_mib: int
    verbosity: int
    cont_batching: bool
    fit_params: bool
    ui: bool
    warmup: bool
    def __init__(self) -> None: ...

class Server:
    def __init__(self, params: CommonParams) -> None: ...
    @property
    def listening_address(self) -> str: ...
    def handle_completions(self, request: dict[str, Any]) -> Any: ...
