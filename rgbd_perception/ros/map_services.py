"""The services of the node ``mapping``, answered in threads of their own, and its autosave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from std_srvs.srv import Trigger

from rgbd_perception.bookkeeping import StepTimer
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import QueryResult, warm_up
from rgbd_perception.ros.background import BackgroundThread
from rgbd_perception.ros.map_keeper import MapKeeper
from rgbd_perception.ros.map_points import PointQuestion, fill_point, parse_point
from rgbd_perception.ros.map_queries import Question, fill_response, parse_request
from rgbd_perception.ros.mapping_parameters import MappingParameters
from rgbd_perception.ros.type_errors import forget_type_errors
from rgbd_perception.srv import MapFile, QueryPoint, QueryText
from rgbd_perception.vocabulary import Vocabulary

Response = TypeVar("Response", MapFile.Response, Trigger.Response)


class MapServices:
    """``~/query_text``, ``~/query_point``, ``~/save_map``, ``~/load_map``, ``~/clear_map``.

    A failure says why in its message.

    frame_in_map  the (4, 4) pose of a frame in the map frame; raises UserError where it is not known
    """

    def __init__(
        self,
        node: Node,
        keeper: MapKeeper,
        parameters: MappingParameters,
        timer: StepTimer,
        frame_in_map: Callable[[str], NDArray[np.float64]],
    ) -> None:
        if parameters.autosave and not parameters.map_file:
            raise UserError("autosave:=true needs a file to save to: set map_file:=/path/to/my_map.rgbdmap")
        self._node = node
        self._keeper = keeper
        self._parameters = parameters
        self._timer = timer
        self._frame_in_map = frame_in_map
        self.on_result: Callable[[Sequence[QueryResult]], None] | None = None
        """Told of the answers to every query."""
        self.encoder_problem = ""
        """Why there is no text encoder; empty where there is one, or may be."""
        self.autosave_problem = ""
        """Why the last autosave failed; empty where it did not."""
        self._newest: Vocabulary | None = None
        self.is_warm = False
        """Whether the kernels of the map are compiled: the first time that takes seconds."""
        self.files = BackgroundThread(node, "mapping files")
        """Does what may take long and is not urgent."""
        self._queries = BackgroundThread(node, "mapping queries")
        if parameters.autosave:
            self._autosave_timer = self.files.every(parameters.autosave_interval, self._autosave)
        self.files.run(self._warm_up)
        node.create_service(QueryText, "~/query_text", self._on_query)
        node.create_service(QueryPoint, "~/query_point", self._on_point)
        node.create_service(MapFile, "~/save_map", self._on_save)
        node.create_service(MapFile, "~/load_map", self._on_load)
        node.create_service(Trigger, "~/clear_map", self._on_clear)
        forget_type_errors()

    def load_on_start(self) -> None:
        """Go on with the map of ``map_file`` where that is wanted, the file exists and nothing is mapped yet.

        Raises UserError.
        """
        parameters, log = self._parameters, self._node.get_logger()
        if not (parameters.load_on_start or parameters.autosave) or self._keeper.revision:
            return
        path = self._path("")
        try:
            if not path.is_file():
                return
        except OSError as error:  # no right to look, a name that is too long
            raise UserError(f"map_file {path} cannot be read: {error.strerror or error}") from error
        if parameters.load_on_start:
            log.info(self._keeper.load(path))
        else:
            log.warning(
                f"autosave will replace the map in {path} by a new one: "
                "set load_on_start:=true to go on with it"
            )

    def take_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Use these class names from now on.

        An empty map takes them at once, so that no frame has to wait; their text embeddings follow. A map
        with voxels takes both together, because it needs the embeddings to find the new classes in it.
        """
        self._newest = vocabulary
        at_once = len(self._keeper.map) == 0 or not vocabulary.text_space
        if at_once:
            self._keeper.set_vocabulary(vocabulary)
        if not at_once or self._parameters.preload_text_encoder:
            self._queries.run(self._embed, vocabulary)

    def close(self) -> None:
        """Finish what is asked, save a last time where ``autosave`` is on, end the threads."""
        self._queries.close()
        if self._parameters.autosave:
            self.files.run(self._autosave)
        self.files.close()

    async def _on_query(self, request: QueryText.Request, response: QueryText.Response) -> QueryText.Response:
        try:
            question = parse_request(request, self._parameters.map_frame, self._frame_in_map)
            results = await self._queries.run(self._answer, question) or []
        except Exception as error:  # noqa: BLE001 - the caller waits for an answer
            response.message = self._explain(error)
            return response
        return fill_response(response, question, results)

    async def _on_point(
        self, request: QueryPoint.Request, response: QueryPoint.Response
    ) -> QueryPoint.Response:
        try:
            asked = parse_point(request, self._parameters.map_frame, self._frame_in_map)
            return await self._queries.run(self._look, asked, response) or response
        except Exception as error:  # noqa: BLE001 - the caller waits for an answer
            response.message = self._explain(error)
            return response

    async def _on_save(self, request: MapFile.Request, response: MapFile.Response) -> MapFile.Response:
        return await self._respond(response, lambda: self._keeper.save(self._path(request.path)))

    async def _on_load(self, request: MapFile.Request, response: MapFile.Response) -> MapFile.Response:
        response = await self._respond(response, lambda: self._keeper.load(self._path(request.path)))
        if response.success and self._newest is not None and self._keeper.map.class_embeddings is None:
            self.take_vocabulary(self._newest)  # the map has other names, and nobody needed those of now yet
        return response

    async def _on_clear(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        return await self._respond(response, self._keeper.clear)

    async def _respond(self, response: Response, action: Callable[[], str]) -> Response:
        try:
            response.message = await self.files.run(action)
            response.success = True
            self._node.get_logger().info(response.message)
        except Exception as error:  # noqa: BLE001 - the caller waits for an answer
            response.message = self._explain(error)
        return response

    def _explain(self, error: Exception) -> str:
        """The message of a refused request. An unforeseen error is answered too: the caller waits."""
        if isinstance(error, UserError):
            self._node.get_logger().warning(f"request refused: {error}")
            return str(error)
        text = f"internal error, please report it: {type(error).__name__}: {error}"
        self._node.get_logger().error(text)
        return text

    def _answer(self, question: Question) -> list[QueryResult]:
        """Thread of the queries."""
        with self._timer.measure("query"):
            results = self._keeper.query(
                question.texts,
                question.negatives,
                top_k=question.top_k,
                threshold=question.threshold,
                region=question.region,
            )
        if self.on_result is not None:
            self.on_result(results)
        return results

    def _look(self, asked: PointQuestion, response: QueryPoint.Response) -> QueryPoint.Response:
        """Thread of the queries."""
        with self._timer.measure("query"):
            answer = self._keeper.at(asked.position, asked.radius, asked.texts)
        return fill_point(response, answer)

    def _warm_up(self) -> None:
        """Thread of the files: frames can come meanwhile, they only wait for the same compiler."""
        warm_up()
        self.is_warm = True

    def _embed(self, vocabulary: Vocabulary) -> None:
        """Thread of the queries. Names that others have followed meanwhile must not take their place."""

        def is_newest() -> bool:
            return self._newest is vocabulary

        before = len(self._keeper.map)
        try:
            outcome = self._keeper.embed_vocabulary(vocabulary, is_newest)
        except Exception as error:  # noqa: BLE001 - said in diagnostics; the map works without texts
            self.encoder_problem = f"texts cannot be encoded: {error}"
            self._node.get_logger().error(self.encoder_problem)
            if is_newest():
                self._keeper.set_vocabulary(vocabulary)
            return
        self.encoder_problem = ""
        if before:
            self._node.get_logger().info(f"new class names: the classes of {before} voxels were {outcome}")

    def _autosave(self) -> None:
        """Thread of the files: save if there is something new."""
        path = self._path("")
        if self._keeper.is_saved(path):
            return
        try:
            self._node.get_logger().info(self._keeper.save(path))
            self.autosave_problem = ""
        except UserError as error:
            self.autosave_problem = f"autosave failed: {error}"
            self._node.get_logger().error(self.autosave_problem)

    def _path(self, given: str) -> Path:
        """The file of a request; empty: that of the parameters."""
        chosen = given or self._parameters.map_file
        if not chosen:
            raise UserError("expected the path of a map file, got an empty one: give a path, or set map_file")
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise UserError(f"expected a path of a map file, got {chosen}: {error}") from error
