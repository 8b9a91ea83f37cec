"""The texts of the page: English in the code, Korean here."""

from __future__ import annotations

import time

from .reasons import in_korean

LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
COOKIE = "nsml_language"


class Texts:
    """`texts("Leaderboard")` is the text in the user's language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, **values: object) -> str:
        """The translation, with `{name}` replaced by the value of that name."""
        translated = KOREAN[text] if self.language == "ko" else text
        return translated.format(**values) if values else translated

    def ago(self, moment: float) -> str:
        """'3 minutes ago', from seconds since the epoch."""
        passed = time.time() - moment
        return self("just now") if passed < 60 else self("{time} ago", time=self.duration(passed))

    def duration(self, seconds: float) -> str:
        """'3 minutes': the number of whole units, in the largest unit that fits."""
        for size, one, many in (
            (86400, "1 day", "{count} days"),
            (3600, "1 hour", "{count} hours"),
            (60, "1 minute", "{count} minutes"),
        ):
            if seconds >= size:
                count = int(seconds // size)
                return self(one) if count == 1 else self(many, count=count)
        count = round(seconds)
        return self("1 second") if count == 1 else self("{count} seconds", count=count)

    def status(self, status: str) -> str:
        """The translation of a status, if there is one."""
        return self(status) if status in KOREAN else status

    def reason(self, reason: str) -> str:
        """A reason that the platform has stored or raised in English, in the user's language as far as it is known."""
        return in_korean(reason) if self.language == "ko" else reason


def choose_language(cookie: str | None, accepted: str | None) -> str:
    """'ko' or 'en': the language in the cookie, else the preferred one in the header Accept-Language, else 'en'."""
    if cookie in LANGUAGES:
        return str(cookie)
    preferences: list[tuple[float, int, str]] = []
    for part in (accepted or "").split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        preferences.append((-weight, len(preferences), name.strip().lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(preferences) if name in LANGUAGES and weight < 0), "en")


KOREAN = {
    # Frame
    "Datasets": "데이터셋",
    "Machine": "컴퓨터",
    "Skip to the content": "본문으로 건너뛰기",
    "Menu": "메뉴",
    "Light or dark mode": "라이트/다크 모드 전환",
    "Language": "언어",
    "Find a dataset": "데이터셋 검색",
    "Read-only": "읽기 전용",
    "Close": "닫기",
    "Cancel": "취소",
    "No data": "표시할 내용이 없습니다",
    "{names} was not found": "{names}: 찾을 수 없습니다",
    # Times
    "just now": "방금",
    "{time} ago": "{time} 전",
    "1 day": "1일",
    "{count} days": "{count}일",
    "1 hour": "1시간",
    "{count} hours": "{count}시간",
    "1 minute": "1분",
    "{count} minutes": "{count}분",
    "1 second": "1초",
    "{count} seconds": "{count}초",
    # Datasets
    "Name": "이름",
    "Train": "학습",
    "Test": "테스트",
    "Labels": "레이블",
    "hidden": "비공개",
    "none": "없음",
    "Size": "크기",
    "Sessions": "세션",
    "Last used": "최근 사용",
    "Classes": "클래스",
    "Damaged": "손상됨",
    "No datasets yet. Run one of these in a terminal:": "아직 데이터셋이 없습니다. 터미널에서 다음 중 하나를 실행하세요.",
    "creates a synthetic dataset": "합성 사진 데이터셋을 만듭니다",
    "registers a folder as a dataset": "폴더를 데이터셋으로 등록합니다",
    "starts main.py of the current folder as a session": "현재 폴더의 main.py를 세션으로 시작합니다",
    "No sessions yet. Run this in your project folder:": "아직 세션이 없습니다. 프로젝트 폴더에서 다음을 실행하세요.",
    "No submissions yet. After a session has saved a checkpoint, run:": (
        "아직 제출이 없습니다. 세션이 체크포인트를 저장하면 다음을 실행하세요."
    ),
    # Board
    "Leaderboard": "리더보드",
    "Everyone": "전체",
    "Mine": "내 제출",
    "Rank": "순위",
    "User": "사용자",
    "Score": "점수",
    "Interval": "95 % 구간",
    "Ranks": "가능한 순위",
    "{low} to {high}": "{low} ~ {high}",
    "95 % intervals from {resamples} resamples of {patients} patients; the ranks hold for all users at once.": (
        "환자 {patients}명을 {resamples}번 다시 뽑아 구한 95 % 구간입니다. 가능한 순위는 모든 사용자에게 동시에 성립합니다."
    ),
    "Best": "최고",
    "{name}, best": "{name}, 최고",
    "Session": "세션",
    "Checkpoint": "체크포인트",
    "Memo": "메모",
    "Tags": "태그",
    "dropped": "탈락",
    "Submissions": "제출 수",
    "Submitted": "제출 시각",
    "Best score so far": "최고 점수 추이",
    "Highest score first": "높은 점수 순",
    "Lowest score first": "낮은 점수 순",
    "Published by the referee {time}, ledger {head}": "채점 계정의 공개: {time}, 원장 {head}",
    "The same answer for every photograph reaches at best {score}.": (
        "모든 사진에 같은 답을 내면 최고 {score}점입니다."
    ),
    "* All predictions are of one class.": "* 모든 예측이 한 클래스입니다.",
    "Not better than the same answer for every photograph.": "모든 사진에 같은 답을 내는 것보다 낫지 않습니다.",
    "Time": "시각",
    # Sessions
    "Number": "번호",
    "Status": "상태",
    "Started": "시작",
    "Common arguments": "공통 인자",
    "Arguments": "인자",
    "Queued": "대기 중",
    "Starting": "시작 중",
    "Running": "실행 중",
    "Exited": "종료됨",
    "Failed": "실패",
    "other labels": "다른 정답으로 채점됨",
    "public {score}": "공개 {score}",
    "baseline": "기준 모델",
    "final": "최종 제출",
    "Stopped": "중지됨",
    "Lost": "연결 끊김",
    "Stop": "중지",
    "Resume": "이어서 실행",
    "Fork": "포크",
    "Remove": "삭제",
    "Submit": "제출",
    "Graph": "그래프",
    "Differences": "차이점",
    "Find": "검색",
    "Select sessions in the table first": "먼저 표에서 세션을 선택하세요",
    "Select one session": "세션을 하나만 선택하세요",
    "Select two sessions": "세션을 두 개 선택하세요",
    # Actions
    "Stop {names}?": "{names} 세션을 중지할까요?",
    "Remove {names}? This deletes checkpoints and logs; scores stay on the leaderboard.": (
        "{names} 세션을 삭제할까요? 체크포인트와 로그도 함께 삭제되며, 리더보드의 점수는 남습니다."
    ),
    "Session {name} is stopped": "{name} 세션을 중지했습니다",
    "Session {name} is removed": "{name} 세션을 삭제했습니다",
    "Session {name} is resumed from checkpoint {checkpoint}": "{name} 세션을 체크포인트 {checkpoint}부터 이어서 실행합니다",
    "Session {name} is started": "{name} 세션을 시작했습니다",
    "Fork {name}": "{name} 세션 포크",
    "Submit {name}": "{name} 세션 제출",
    "newest": "최신",
    "This session has no checkpoint": "이 세션에는 체크포인트가 없습니다",
    "Memo saved": "메모를 저장했습니다",
    "starting the program": "프로그램 시작 중",
    "loading the checkpoint": "체크포인트 불러오는 중",
    "photograph {done} of {total}": "사진 {total}장 중 {done}장 예측",
    "scoring": "채점 중",
    "Score: {score}": "점수: {score}",
    # Session page
    "Log": "로그",
    "Checkpoints": "체크포인트",
    "Report": "보고서",
    "Terminal": "터미널",
    "Details": "상세 정보",
    "Saved": "저장 시각",
    "Elapsed": "소요 시간",
    "Summary": "요약",
    "Entry file": "시작 파일",
    "Kind": "종류",
    "Starting checkpoint": "시작 체크포인트",
    "Most memory": "최대 메모리",
    "Command": "명령",
    "Environment": "환경",
    # Log
    "Find in the log": "로그에서 검색",
    "Earlier lines": "이전 줄",
    "To the end": "맨 끝으로",
    "No output yet": "아직 출력이 없습니다",
    "This session ran in the foreground; its output went to the terminal": (
        "포그라운드에서 실행된 세션이라 출력이 터미널에만 표시되었습니다"
    ),
    "Matching lines: {count}": "일치하는 줄: {count}개",
    "First matching lines: {count}": "일치하는 줄: 처음 {count}개만 표시",
    "{size} of output skipped; 'Earlier lines' shows it": "출력 {size}를 건너뛰었습니다. '이전 줄'을 누르면 볼 수 있습니다",
    # Graph
    "X axis": "X축",
    "Step": "스텝",
    "Relative time": "경과 시간",
    "Smoothing": "스무딩",
    "Logarithmic": "로그 스케일",
    "No values yet; call nsml.report in the program": "아직 값이 없습니다. 프로그램에서 nsml.report를 호출하세요",
    "seconds": "초",
    "other": "기타",
    "Damaged lines skipped: {count}": "손상되어 건너뛴 줄: {count}개",
    "Only the first {count} names are shown": "처음 {count}개 이름만 표시됩니다",
    # Differences
    "Results": "결과",
    "Files": "파일",
    "Files: no differences": "파일: 차이 없음",
    "Only the first {count} files are shown": "처음 {count}개 파일만 표시됩니다",
    "binary or large files, which differ": "바이너리이거나 큰 파일입니다. 내용이 서로 다릅니다",
    "Is one better?": "어느 세션이 더 나은가요?",
    "comparing": "비교 중",
    "First session": "첫 번째 세션",
    "Second session": "두 번째 세션",
    "The code of one of the sessions is not stored": "두 세션 중 하나는 코드가 저장되어 있지 않습니다",
    "Compare": "비교",
    # Report
    "Write a report": "보고서 만들기",
    "No report on this session's checkpoints yet": "이 세션의 체크포인트에 대한 보고서가 아직 없습니다",
    "Report on checkpoint {name}": "체크포인트 {name} 보고서",
    # Terminal
    "An expression with the variables of the last nsml.report(scope=locals())": (
        "마지막 nsml.report(scope=locals()) 호출의 변수를 사용하는 식"
    ),
    "Evaluate": "실행",
    "Expressions need a running session": "실행 중인 세션에서만 사용할 수 있습니다",
    "No variables yet; call nsml.report(scope=locals(), ...) in the program": (
        "아직 변수가 없습니다. 프로그램에서 nsml.report(scope=locals(), ...)를 호출하세요"
    ),
    # Machine
    "Processors": "CPU",
    "Load": "부하",
    "Memory": "메모리",
    "Disk": "디스크",
    "{free} of {total} free": "{total} 중 {free} 사용 가능",
    "GPUs": "GPU",
    "No NVIDIA GPU": "NVIDIA GPU가 없습니다",
    "No running sessions": "실행 중인 세션이 없습니다",
    "Limits": "제한",
}
