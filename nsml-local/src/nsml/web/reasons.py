"""Reasons in Korean: of an end, a wait, a refusal or a failure. The platform stores them in English, and terminals show them so.

A reason is translated clause by clause. What a program has printed or raised, and what has no entry here, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

_LONGEST = 1000  # letters of a clause
_DEEPEST = 4  # clauses within a clause
# Names in braces that stand for a clause or a word of the platform; others stand for names and numbers.
_INNER = frozenset({"what", "why", "how", "step", "status", "who", "whose", "item", "place", "value", "probabilities"})


def in_korean(reason: str) -> str:
    """The reason, with each clause that is known in Korean."""
    return "; ".join(_clause(clause, 0) for clause in reason.split("; "))


def _clause(clause: str, depth: int) -> str:
    if len(clause) > _LONGEST or depth > _DEEPEST:
        return clause
    for pattern, korean in _patterns():
        if found := pattern.fullmatch(clause):
            parts = found.groupdict()
            return korean.format(**{k: _clause(v, depth + 1) if k in _INNER else v for k, v in parts.items()})
    return clause


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for each entry, in which a name in braces takes any text."""
    return [
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(english)), re.DOTALL), korean)
        for english, korean in REASONS.items()
    ]


# Of entries that fit, the first counts.
REASONS = {
    # A word for a step, a status, an object
    "start": "시작",
    "load": "불러오기",
    "infer": "예측",
    "predictions": "예측 결과",
    "score": "채점",
    "memory": "메모리 부족",
    "machine": "컴퓨터",
    "container or control group": "컨테이너 또는 제어 그룹",
    "the program": "프로그램",
    "a process that the program started": "프로그램이 시작한 프로세스",
    # The end of a session
    "exit status {code}": "종료 코드 {code}",
    "signal {number} ({name})": "시그널 {number} ({name})",
    "signal {number}": "시그널 {number}",
    "on {host}": "{host}에서 실행",
    "ended since it used {used} GB of memory, more than --memory {limit} GB": (
        "메모리를 {used} GB 사용하여 --memory {limit} GB를 넘었으므로 종료되었습니다"
    ),
    "give a smaller batch size or fewer workers, or a larger --memory": (
        "배치 크기나 워커 수를 줄이거나 --memory를 늘리세요"
    ),
    "give a smaller batch size or fewer workers, or use a machine with more memory": (
        "배치 크기나 워커 수를 줄이거나 메모리가 더 많은 컴퓨터를 사용하세요"
    ),
    "the system killed {who}, since memory ran out: {why}": "메모리가 부족하여 시스템이 종료시켰습니다({who}): {why}",
    "killed from outside, possibly by the system for lack of memory: {why}": (
        "외부에서 종료되었습니다. 메모리가 부족하여 시스템이 종료시켰을 수 있습니다: {why}"
    ),
    "it had used {used} of the {most} that this {whose} has": "{most} 중 {used} 사용({whose})",
    "if that is much, {what}": "사용량이 많다면 {what}",
    "the program could not be started: {why}": "프로그램을 시작할 수 없습니다: {why}",
    "it ran when the backup was made": "백업할 때 실행 중이었습니다",
    "Slurm no longer knows job {number}": "Slurm에 작업 {number}이(가) 더 이상 없습니다",
    "job {number} of Slurm ended with {state}": "Slurm 작업 {number}이(가) {state}(으)로 끝났습니다",
    # A wait
    "after {name}, which is Lost ('nsml resume {again}')": "{name} 세션을 기다림: 연결 끊김('nsml resume {again}')",
    "after {name}, which is {status}": "{name} 세션을 기다림({status})",
    "session {name}, after which it was to start, was removed": "먼저 끝나야 하는 {name} 세션이 삭제되었습니다",
    "session {name}, after which it was to start, is {status}": "먼저 끝나야 하는 {name} 세션의 상태: {status}",
    "--after-any starts it all the same": "--after-any를 쓰면 그래도 시작합니다",
    "needs {gpus} GPUs, and there are {there}": "GPU {gpus}개가 필요하지만 {there}개뿐입니다",
    "needs {needs}": "필요: {needs}",
    "its supervisor is gone": "세션을 관리하는 프로세스가 없습니다",
    "the next nsml command starts it again": "다음 nsml 명령이 다시 시작합니다",
    "Starting": "시작 중",
    "Running": "실행 중",
    "Queued": "대기 중",
    "Failed": "실패",
    "Stopped": "중지됨",
    # A submit
    "{what} (log: {log})": "{what} (로그: {log})",
    "submit failed at {step}: {why}": "{step} 단계에서 제출이 실패했습니다: {why}",
    "{entry} ended with {how} before it had predicted all images": (
        "모든 사진을 예측하기 전에 {entry}이(가) 끝났습니다({how})"
    ),
    "{entry} ended with {how} before it called nsml.paused": "nsml.paused를 호출하기 전에 {entry}이(가) 끝났습니다({how})",
    "{entry} ended before it called nsml.paused": "nsml.paused를 호출하기 전에 {entry}이(가) 끝났습니다",
    "call nsml.paused(scope=locals()) after nsml.bind where --pause is 1": (
        "--pause가 1이면 nsml.bind 다음에 nsml.paused(scope=locals())를 호출하세요"
    ),
    "its last line of output: {line}": "마지막 출력: {line}",
    "it printed nothing": "출력이 없습니다",
    "it took more than {limit} seconds": "{limit}초를 넘었습니다",
    "make it faster, or raise --limit": "더 빠르게 하거나 --limit을 늘리세요",
    "a submit has no training data: save what infer needs of them in the checkpoint": (
        "제출할 때는 학습 데이터가 없습니다. infer에 필요한 것은 체크포인트에 저장하세요"
    ),
    "no {name} function is bound": "{name} 함수가 등록되지 않았습니다",
    "call nsml.bind(save=..., load=..., infer=...) before nsml.paused": (
        "nsml.paused 전에 nsml.bind(save=..., load=..., infer=...)를 호출하세요"
    ),
    "infer returned an array of shape {shape}, probably scores by class": (
        "infer가 모양이 {shape}인 배열을 반환했습니다. 클래스별 점수로 보입니다"
    ),
    "infer returned only NaN": "infer가 NaN만 반환했습니다",
    "infer returned whole numbers, the first {number}, like label numbers, and the dataset is scored by probabilities": (
        "infer가 레이블 번호 같은 정수를 반환했습니다(첫 번째 값: {number}). 이 데이터셋은 확률로 채점합니다"
    ),
    "the weights of this checkpoint may have diverged": "이 체크포인트의 가중치가 발산했을 수 있습니다",
    "infer returned {value} for {place}, outside 0 .. {last}": (
        "infer가 {place}에 대해 0 .. {last} 범위 밖의 {value}을(를) 반환했습니다"
    ),
    "infer returned {value} for {place}": "infer가 {place}에 대해 {value}을(를) 반환했습니다",
    "infer returned {value}": "infer가 {value}을(를) 반환했습니다",
    "infer must return one integer class per {item}, in the order of {order}": (
        "infer는 {order}의 순서대로 {item}마다 정수 클래스 하나를 반환해야 합니다"
    ),
    "infer must return one number per {item}, in the order of {order}": (
        "infer는 {order}의 순서대로 {item}마다 숫자 하나를 반환해야 합니다"
    ),
    "infer must return {probabilities} for each {item}, in the order of {order}": (
        "infer는 {order}의 순서대로 {item}마다 {probabilities}을(를) 반환해야 합니다"
    ),
    "infer must return one prediction per image": "infer는 사진마다 예측 하나를 반환해야 합니다",
    "a row of {classes} probabilities": "확률 {classes}개로 된 행",
    "image {position}": "사진 {position}",
    "image": "사진",
    "{lines} lines for {images} images": "사진 {images}장에 {lines}줄입니다",
    "{count} images": "사진 {count}장",
    "{count} predictions": "예측 {count}개",
    "{count} prediction": "예측 {count}개",
    "the submit was killed": "제출이 강제로 종료되었습니다",
    "the submit was interrupted": "제출이 중단되었습니다",
    "the submit ran when the backup was made": "백업할 때 제출이 실행 중이었습니다",
    "submit again": "다시 제출하세요",
    # Rules, and the referee
    "dataset {name}: {why}": "데이터셋 {name}: {why}",
    "'nsml submit -t' tries without a score": "'nsml submit -t'는 점수 없이 시험합니다",
    "the labels of dataset {name} are wrong, so nothing can be scored": (
        "데이터셋 {name}의 정답에 오류가 있어 채점할 수 없습니다"
    ),
    "the labels of dataset {name} cannot be read ({error}), so nothing can be scored": (
        "데이터셋 {name}의 정답을 읽을 수 없어 채점할 수 없습니다({error})"
    ),
    "the competition was closed at {when}": "대회가 {when}에 마감되었습니다",
    "submissions open at {when}": "제출은 {when}에 시작됩니다",
    "the deadline was {when}": "마감 시각이 지났습니다({when})",
    "wait {time}": "{time} 후에 다시 제출하세요",
    "0 of {total} submissions are left in all": "전체 제출 {total}회를 모두 사용했습니다",
    "{left} of {total} left today, next at 00:00 {zone}": "오늘 {total}회 중 {left}회 남음, 다음은 00:00 {zone}",
    "{left} of {total} left in all": "전체 {total}회 중 {left}회 남음",
    "it allows a submission every {time}": "{time}마다 한 번 제출할 수 있습니다",
    "the referee says: {why}": "채점 계정의 답: {why}",
    "it has more than {count} bytes": "{count}바이트를 넘습니다",
    "it cannot be scored ({error})": "채점할 수 없습니다({error})",
    "ask the organiser": "주최자에게 문의하세요",
    "handed in as {name}": "{name}(으)로 제출했습니다",
    "waiting for the referee": "채점을 기다리는 중",
    # The board
    "95 % intervals from {resamples} resamples of {patients} patients": (
        "환자 {patients}명을 {resamples}번 다시 뽑아 구한 95 % 구간입니다"
    ),
    "the ranks hold for all users at once": "가능한 순위는 모든 사용자에게 동시에 성립합니다",
    "No intervals: {why}": "구간 없음: {why}",
    "No intervals ({error})": "구간 없음({error})",
    "the dataset has a scorer of its own": "데이터셋에 자체 채점기가 있습니다",
    "they need at least {count} patients, and there are {there}": "환자가 {count}명 이상이어야 하지만 {there}명입니다",
}
